"""Evaluates three flags through every client there is, by turns, and prints processor time per evaluation as JSON.

Runs in an environment of its own, with the other clients in it; a client that is not there is left out.
"""

import json
import sys
import time

from paths import PATHS

USERS = [
    {"targetingKey": f"user-{n}", "country": "DE", "email": f"user-{n}@example.com", "version": f"2.{3 + n % 5}.0"}
    for n in range(1024)
]
CASES = ("static", "share", "rule")
ROUNDS = 5


def main() -> None:
    paths = {}
    for name, make in PATHS.items():
        if name in sys.argv[1:] or not sys.argv[1:]:
            try:
                paths[name] = make()
            except Exception as problem:
                print(f"{name}: left out: {type(problem).__name__}: {problem}", file=sys.stderr)
    found: dict[str, dict[str, list[float]]] = {name: {case: [] for case in CASES} for name in paths}
    for case in CASES:
        for name, (prepare, evaluate) in paths.items():
            users = [prepare(user) for user in USERS]
            on = sum(evaluate(case, user) is True for user in users)
            assert on == 1024 if case != "share" else 60 <= on <= 150, f"{name} {case}: {on}"
        for _ in range(ROUNDS):
            for name, (prepare, evaluate) in paths.items():
                users = [prepare(user) for user in USERS]
                found[name][case].append(spent(evaluate, case, users))
    print(json.dumps({name: {case: min(times) for case, times in cases.items()} for name, cases in found.items()}))


def spent(evaluate, case, users) -> float:
    """Microseconds of processor time for one evaluation."""
    times = 0
    began = now = time.thread_time()
    while now - began < 0.03:
        for user in users:
            evaluate(case, user)
        times += len(users)
        now = time.thread_time()
    return (now - began) / times * 1e6


if __name__ == "__main__":
    main()
