"""`python -m midair.flagserver shop=flags.json --port 8016`: flags from files, without the control plane.

A file that changes is read again; one that is broken is told about and changes nothing.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import uvicorn

from midair.errors import MidairError
from midair.flags.read import read, warnings
from midair.flagserver.hub import Hub
from midair.flagserver.routes import application

LOOK_S = 0.2


class Files:
    """Sets by name, each in a file."""

    def __init__(self, hub: Hub, files: dict[str, Path]) -> None:
        self.hub = hub
        self.files = files
        self.seen: dict[str, tuple[int, int]] = {}

    def look(self) -> None:
        for name, path in self.files.items():
            try:
                status = path.stat()
                print_of = (status.st_mtime_ns, status.st_size)
                if self.seen.get(name) == print_of:
                    continue
                self.seen[name] = print_of
                flags = read(path.read_bytes(), str(path))
                self.hub.publish(name, flags)
                for warning in warnings(flags, str(path)):
                    print(warning, file=sys.stderr, flush=True)
            except (OSError, MidairError) as problem:
                print(problem, file=sys.stderr, flush=True)

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()


async def serve(options: argparse.Namespace) -> None:
    hub = Hub()
    files = Files(hub, {name: Path(path) for name, _, path in (item.partition("=") for item in options.sets)})
    files.look()
    tokens = dict(token.partition("=")[::2] for token in options.token)
    config = uvicorn.Config(
        application(hub, tokens), host=options.host, port=options.port, log_level="warning",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    watching = asyncio.create_task(files.watch())
    sync = None
    if options.sync:
        from midair.flagserver.sync import SyncServer

        sync = SyncServer(hub)
        print(f"sync on {await sync.start(f'{options.host}:{options.sync}')}", flush=True)
    try:
        await uvicorn.Server(config).serve()
    finally:
        watching.cancel()
        if sync is not None:
            await sync.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m midair.flagserver", description="Serve feature flags from files.")
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8016)
    parser.add_argument("--sync", type=int, help="port of flagd.sync.v1, which needs midair[flagd]")
    parser.add_argument("--token", action="append", default=[], metavar="TOKEN=SET", help='SET may be "*"')
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
