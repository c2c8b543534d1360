"""The commands that somebody uses just now, in the processes of one project. None of them has a record."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Collection

from midair.errors import RuntimeTrouble
from midair.model.command import Command
from midair.model.ids import ReplicaId
from midair.model.moment import Moment
from midair.model.project import Port, Revision
from midair.runtime.process import place, translate
from midair.runtime.process.layout import Layout
from midair.runtime.process.ports import free_port
from midair.runtime.process.record import Record
from midair.runtime.process.replica import Replica
from midair.runtime.process.session import ProcessSession


class Sessions:
    """Begins commands, and ends them with their replica or with the daemon."""

    def __init__(self, layout: Layout, clock: Callable[[], Moment]) -> None:
        self._layout, self._clock = layout, clock
        self._open: dict[asyncio.Task[None], tuple[ProcessSession, str | None]] = {}  # and the release it runs in

    def exec(self, replica: Replica, command: Command) -> ProcessSession:
        """Run a command with what a replica has. Raises RuntimeTrouble."""
        return self._begin(replica.record, command, replica.exited)

    def run(self, revision: Revision, command: Command, taken: Collection[int], *, publish: bool) -> ProcessSession:
        """Run one more process of a revision. Raises RuntimeTrouble."""
        published = _published(revision) if publish else None
        now = self._clock()
        known = Record(
            id=ReplicaId(f"{revision.service.name}/{revision.id}/run-{secrets.token_hex(4)}"),
            revision=translate.slim(revision),
            attempt=1,
            port=published.port if published is not None else free_port(taken),
            state="starting",
            since=now,
        )
        return self._begin(known, command, None)

    def releases(self) -> set[str]:
        """Those that commands run in."""
        return {release for _, release in self._open.values() if release}

    async def close(self) -> None:
        """End all of them."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*(session.end() for session, _ in self._open.values()), return_exceptions=True)

    def _begin(self, known: Record, command: Command, until: asyncio.Event | None) -> ProcessSession:
        # The end of a mark says that the next daemon ends what it finds.
        mark = f"{self._layout.folder / 'sessions' / secrets.token_hex(8)}#command"
        start = place.command_of(self._layout, known, command, mark, alone=until is None)
        size = (command.rows, command.columns) if command.tty else None
        session = ProcessSession.begin(start, mark, size)
        task = asyncio.create_task(_attend(session, until))
        self._open[task] = session, known.revision.release
        task.add_done_callback(lambda _: self._open.pop(task, None))
        return session


async def _attend(session: ProcessSession, until: asyncio.Event | None) -> None:
    """Return when a command has ended, which the end of its replica brings about."""
    ended = asyncio.create_task(session.wait())
    waits = [ended, *([asyncio.create_task(until.wait())] if until is not None else [])]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await session.end()
    finally:
        for task in waits:
            task.cancel()


def _published(revision: Revision) -> Port | None:
    """The port that a process of its own can have: the first published one. Raises RuntimeTrouble when it is in use."""
    port = next((port for port in revision.service.ports if port.protocol != "udp" and not port.inside), None)
    if port is not None:
        with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in port.host else socket.AF_INET)) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((port.host, port.port))
            except OSError as error:
                raise RuntimeTrouble(
                    f"cannot publish port {port.port}: {error.strerror}", hint="leave --service-ports out"
                ) from error
    return port
