"""Connects once to each port of a replica that is to be routed to, and remembers what came of it.

A replica that refuses is asked again, less and less often; one that was reached is left alone: some servers count
connections on which nothing follows, and shut out who makes many. Where a request has to be answered, `OPTIONS *` is
sent, which changes nothing. Anything that comes back is an answer, and so is an end of the connection: a server that
loads its application says nothing at all.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from midair.model.action import Candidate
from midair.model.ids import ReplicaId
from midair.model.seen import Reach

_FIRST_S, _MOST_S, _SHARE = 0.02, 0.5, 8  # between two tries: at most this part of the time that it has had
_ANSWER_S = 60.0  # for an answer, before the connection is given up and made again
_REQUEST = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nUser-Agent: midair\r\nConnection: close\r\n\r\n"

Key = tuple[ReplicaId, int, int, str, int]  # replica, attempt, turn, address, port


class Reaching:
    """The candidates of one service."""

    def __init__(
        self, connect_s: float, changed: Callable[[], None], connected: Callable[[str, int], None] = lambda *_: None
    ) -> None:
        """`connected`: called with the host and the port of each connection that was made."""
        self._connect_s = connect_s
        self._connected = connected
        self._changed = changed
        self._known: dict[Key, Reach] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}

    def want(self, candidates: Iterable[Candidate]) -> None:
        """Connect to these, and go on with those of them that are known already."""
        wanted = {_key(one, port): port in one.http for one in candidates for port in one.ports}
        for key in self._known.keys() - wanted.keys():
            del self._known[key]
            if (task := self._asking.pop(key, None)) is not None:
                task.cancel()
        for key, http in wanted.items():
            if key not in self._known:
                self._known[key] = Reach(*key, state="waiting")
                self._asking[key] = asyncio.create_task(self._reach(key, http))
        self._changed()

    def seen(self) -> tuple[Reach, ...]:
        """What came of each connection so far."""
        return tuple(self._known.values())

    async def _reach(self, key: Key, http: bool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        is_reached = False
        while not is_reached:
            is_reached = await self._try(key, http)
            if not is_reached:
                await asyncio.sleep(min(_MOST_S, max(_FIRST_S, (loop.time() - began) / _SHARE)))

    async def _try(self, key: Key, http: bool) -> bool:
        """Connect once. False: it has to be tried again."""
        *_, address, port = key
        host = address.rpartition(":")[0].strip("[]")
        try:
            async with asyncio.timeout(self._connect_s):
                reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            self._note(key, "refused", f"{_why(error, self._connect_s)} on port {port}")
            return False
        self._connected(host, port)
        try:
            self._note(key, "connected", f"no answer to OPTIONS * on port {port} yet" if http else "")
            return not http or await self._answers(key, reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answers(self, key: Key, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_S):
                writer.write(_REQUEST)
                await reader.read(1)
        except TimeoutError:
            return False
        except OSError:
            pass  # an end is an answer
        self._note(key, "answered", "")
        return True

    def _note(self, key: Key, state: str, reason: str) -> None:
        before = self._known.get(key)
        if before is None or (before.state, before.reason) == (state, reason):
            return
        self._known[key] = replace(before, state=state, reason=reason)
        self._changed()


def _key(candidate: Candidate, port: int) -> Key:
    return candidate.replica, candidate.attempt, candidate.turn, candidate.address, port


def _why(error: OSError, connect_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {connect_s:g} s"
    # The loop's own errors put the address into their text.
    return os.strerror(error.errno).lower() if error.errno else str(error)
