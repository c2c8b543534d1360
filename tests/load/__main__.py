"""An independent load client: `python tests/load 127.0.0.1:8000 --get 4 --ws 2`.

It prints a line of JSON when every kind of user has had a first answer or failure, and one with all counts at the
end: after `--seconds`, or when it is told to stop (SIGINT, SIGTERM, end of its input). It exits with 1 if anything
failed.
"""

import argparse
import asyncio
import json
import os
import signal
import sys

from count import Load
from kinds import KINDS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("target", help="host:port")
    parser.add_argument("--seconds", type=float, help="how long; without it until told to stop")
    parser.add_argument("--path", default=Load.path, help="what GETs ask for")
    parser.add_argument("--pause", type=float, default=Load.pause, help="seconds between the requests of one user")
    parser.add_argument("--patience", type=float, default=Load.patience, help="seconds to wait for an answer")
    parser.add_argument("--parts", type=int, default=Load.parts, help="parts of a stream, ten a second")
    for kind, user in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=(user.__doc__ or "").split("\n")[0])
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    host, _, port = arguments.target.rpartition(":")
    load = Load(host, int(port))
    load.path, load.pause = arguments.path, arguments.pause
    load.patience, load.parts = arguments.patience, arguments.parts
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)
    if arguments.seconds is not None:
        loop.call_later(arguments.seconds, load.stop)
    else:
        loop.add_reader(0, _read_input, load)
    wanted = {kind: getattr(arguments, kind) for kind in KINDS}
    async with asyncio.TaskGroup() as users:
        for kind, count in wanted.items():
            for _ in range(count):
                users.create_task(KINDS[kind](load))
        users.create_task(_announce(load, {kind for kind, count in wanted.items() if count}))
    return load.report()


def _read_input(load: Load) -> None:
    """Stop at the end of the input, so that the client never outlives whoever started it."""
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        load.stop()


async def _announce(load: Load, kinds: set[str]) -> None:
    """Tell once that the load is on: every quick kind has had an answer, every other one has begun."""
    while not load.stopping:
        if kinds <= set(load.requests) and kinds & {"get", "new", "post"} <= set(load.slowest):
            break
        await asyncio.sleep(0.02)
    print(json.dumps({"started": True}), flush=True)


def main() -> int:
    """Run and report."""
    report = asyncio.run(_run(_arguments()))
    print(json.dumps(report), flush=True)
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
