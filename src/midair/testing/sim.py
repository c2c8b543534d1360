"""Simulated rollouts in volume: `python -m midair.testing.sim --rollouts 100000`.

A seed that fails prints its story, shortened to its end, and the command that replays it.
"""

import argparse
import sys
import time
from collections import Counter
from contextlib import nullcontext
from functools import partial

from midair.testing.choose import every_placement
from midair.testing.planted import BUGS, planted
from midair.testing.play import play_seed
from midair.testing.small import SMALL, play_small
from midair.testing.violation import Violation

STORY_LINES = 60
REPORT_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Run seeds until enough rollouts were begun. 0 when no invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m midair.testing.sim", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10_000, help="how many to simulate at least")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--story", action="store_true", help="tell the whole story of the first seed, and stop")
    parser.add_argument("--plant", choices=sorted(BUGS), help="put this bug into the core first")
    parser.add_argument("--marks", action="store_true", help="tell how often each rare thing happened")
    parser.add_argument(
        "--every-fault", type=int, metavar="N", help="instead: every placement of up to N faults, small"
    )
    options = parser.parse_args(arguments)
    with planted(options.plant) if options.plant else nullcontext():
        if options.every_fault is not None:
            return every_fault(options.every_fault)
        if options.story:
            return 0 if tell(options.seed, sys.maxsize) is None else 1
        return run(options.rollouts, options.seed, options.plant, options.marks)


def run(rollouts: int, seed: int, plant: str | None, show_marks: bool) -> int:
    """Seeds from `seed` on, until `rollouts` have begun or one of them violates an invariant."""
    marks: Counter[str] = Counter()
    begun, first, started = 0, seed, time.monotonic()
    told = started
    while begun < rollouts:
        try:
            play = play_seed(seed)
        except (Violation, AssertionError):
            tell(seed, STORY_LINES)
            more = f' --plant "{plant}"' if plant else ""
            print(f"replay it: python -m midair.testing.sim --seed {seed} --story{more}")
            return 1
        begun += play.plane.begun
        marks += play.checks.marks
        seed += 1
        if time.monotonic() - told > REPORT_S:
            told = time.monotonic()
            print(f"{begun:,} rollouts in {told - started:.0f}s …", file=sys.stderr)
    took = time.monotonic() - started
    print(f"{begun:,} rollouts of {seed - first:,} seeds in {took:.1f}s, no invariant violated")
    if show_marks:
        for mark, times in sorted(marks.items(), key=lambda one: -one[1]):
            print(f"{times:>10,}  {mark}")
    return 0


def every_fault(most: int) -> int:
    """Every placement of up to `most` faults in each small scenario."""
    for name in SMALL:
        started, runs = time.monotonic(), 0
        try:
            runs = sum(1 for _ in every_placement(partial(play_small, name), most))
        except AssertionError as violation:
            print(f"{name}: {violation}, {', '.join(violation.__notes__)}")
            return 1
        print(f"{runs:>8,} runs in {time.monotonic() - started:6.1f}s, no invariant violated: {name}", flush=True)
    return 0


def tell(seed: int, lines: int) -> AssertionError | None:
    """Print the story of a seed, at most its last lines, and what it violates."""
    story: list[str] = []
    violation: AssertionError | None = None
    try:
        play_seed(seed, story.append)
    except AssertionError as error:
        violation = error
    if len(story) > lines:
        print(f"… {len(story) - lines} lines before")
    print("\n".join(story[-lines:]))
    print(f"seed {seed}: {violation or 'no invariant violated'}")
    return violation


if __name__ == "__main__":
    sys.exit(main())
