"""Longest stall of evaluations while a set of 20,000 flags is exchanged in the same process."""

import json
import statistics
import threading
import time
from collections.abc import Iterator

from midair.flags import wire
from midair.flags.engine import paced
from midair.openfeature.http import Address
from midair.openfeature.keeper import Keeper, breathe

FLAGS = 20_000
RELOADS = 10


def definitions(changed: int) -> dict[str, bytes]:
    rule = {"fractional": [["on", 10], ["off", 90]]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": rule}
    flags = {f"flag-{number}": flag for number in range(FLAGS)}
    for number in range(0, FLAGS, 200):
        weights = [["on", 10 + changed], ["off", 90 - changed]]
        flags[f"flag-{number}"] = {**flag, "targeting": {"fractional": weights}}
    return {key: json.dumps(flag).encode() for key, flag in flags.items()}


def arriving(text: bytes) -> Iterator[bytes]:
    """Lines, as a socket hands them over."""
    rest = b""
    for start in range(0, len(text), 65536):
        *whole, rest = (rest + text[start : start + 65536]).split(b"\n")
        yield from whole


def measure() -> list[float]:
    """Seconds of the longest wait in each reload: all 20,000 come anew, 100 of them different."""
    keeper = Keeper(Address("http://127.0.0.1:9"), "bench", None, {})
    texts = [
        wire.snapshot({"set": "bench", "version": str(n), "fractional": "v3", "metadata": {}}, definitions(n))
        for n in range(2)
    ]
    assembly = wire.Assembly({})

    def load(text: bytes) -> None:
        for line in paced(arriving(text), breathe):
            if assembly.take(line):
                keeper.replace(assembly.head, assembly.flags)

    load(texts[0])
    user = {"targetingKey": "user-1"}
    for key in keeper.table.raw:
        keeper.table[key](user)
    return [_during(lambda n=n: load(texts[n % 2]), keeper, user) for n in range(1, RELOADS + 1)]  # type: ignore[misc]


def _during(work, keeper, user) -> float:  # type: ignore[no-untyped-def]
    # Processor time of this process: what others on the machine do in between does not count.
    busy = threading.Thread(target=work)
    longest, last = 0.0, time.process_time()
    busy.start()
    while busy.is_alive():
        keeper.table["flag-200"](user)
        now = time.process_time()
        longest, last = max(longest, now - last), now
    return longest


def main() -> None:
    found = measure()
    print(json.dumps({"median_ms": statistics.median(found) * 1e3, "worst_ms": max(found) * 1e3}))


if __name__ == "__main__":
    main()
