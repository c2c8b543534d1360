"""Commands beside the replicas of a service: streams of frames that go both ways. See `view.frames`."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from midair.api.endpoint import Call, Endpoint
from midair.api.problem import error_answer
from midair.engine import commands
from midair.engine.bus import Bus
from midair.engine.commands import How, RunningCommand
from midair.errors import DaemonTrouble, MidairError, UsageRefused
from midair.view.ask import AskCommand
from midair.view.frames import MEDIA_TYPE, WINDOW, BadFrame, Frames, Kind, Size, frame

Tell = Callable[[Kind, bytes], Awaitable[None]]
_LOOK_S = 3600.0  # nothing but the end of the daemon is waited for
TEXT = (
    "The bodies of the request and of the answer are frames (one byte of kind, four of length, data) and flow at the "
    "same time. The request begins with ASK (0) and its JSON, then INPUT (1), INPUT_END (2), SIZE (3: JSON), "
    "SIGNAL (4: a name). The answer has OUTPUT (5), ERROR_OUTPUT (6), TAKEN (7: bytes of input handed over, as a "
    f"decimal number) and last ENDED (8: exit code) or TROUBLE (9: ErrorAnswer). At most {WINDOW} bytes of input may "
    "be sent that TAKEN has not acknowledged. The command ends with the connection."
)


class _Incoming:
    """The frames of a request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._parser = Frames()
        self._waiting: list[tuple[Kind, bytes]] = []

    async def next(self) -> tuple[Kind, bytes] | None:
        """The next one; None when the caller hung up. Raises UsageRefused."""
        while not self._waiting:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                return None
            try:
                self._waiting = self._parser.feed(message.get("body", b""))
            except BadFrame as error:
                raise UsageRefused(f"cannot read the request: {error}") from error
            if not self._waiting and not message.get("more_body", False):
                return None
        return self._waiting.pop(0)


async def exec_command(call: Call) -> Response:
    return await _begin(call, "exec")


async def run_command(call: Call) -> Response:
    return await _begin(call, "run")


async def _begin(call: Call, how: How) -> Response:
    incoming = _Incoming(call.request)
    first = await incoming.next()
    if first is None or first[0] != Kind.ASK:
        raise UsageRefused("cannot run a command: the request does not begin with what is asked for")
    ask = msgspec.json.decode(first[1], type=AskCommand)
    if how == "exec" and not ask.command.words:
        raise UsageRefused("cannot exec: no command was named")
    running = await commands.begin(call.engine.keeper(call.project), call.path("service"), how, ask)
    return _Exchange(running, incoming, call.engine.bus)


class _Exchange(Response):
    """The answer: lasts as long as the command, which lasts no longer than the answer."""

    def __init__(self, running: RunningCommand, incoming: _Incoming, bus: Bus) -> None:
        super().__init__(media_type=MEDIA_TYPE)
        self._running, self._session, self._incoming, self._bus = running, running.session, incoming, bus
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting = 0  # bytes of input that were not handed over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(kind: Kind, data: bytes) -> None:
            last = kind in (Kind.ENDED, Kind.TROUBLE)
            await send({"type": "http.response.body", "body": frame(kind, data), "more_body": not last})

        tasks: list[asyncio.Task[None]] = []
        try:
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            tasks += [asyncio.create_task(work) for work in (self._hear(), self._show(tell), self._daemon_ends())]
            tasks.append(asyncio.create_task(self._take(tell)))
            await asyncio.wait(tasks[:3], return_when=asyncio.FIRST_COMPLETED)
            trouble = next((task.exception() for task in tasks[:3] if task.done() and task.exception()), None)
            if isinstance(trouble, MidairError):
                await tell(Kind.TROUBLE, msgspec.json.encode(error_answer(trouble)))
            elif trouble is not None:
                raise trouble
            elif tasks[1].done():
                await self._running.close()  # a client that returns finds nothing of it left
                await tell(Kind.ENDED, str(await self._session.wait()).encode())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._running.close()

    async def _hear(self) -> None:
        """Take what the client sends, until it hangs up."""
        while (heard := await self._incoming.next()) is not None:
            kind, data = heard
            if kind == Kind.INPUT:
                self._waiting += len(data)
                if self._waiting > WINDOW:
                    raise UsageRefused("cannot take the input: it is more than was acknowledged")
                self._input.put_nowait(data)
            elif kind == Kind.INPUT_END:
                self._input.put_nowait(None)
            elif kind == Kind.SIZE:
                size = msgspec.json.decode(data, type=Size)
                await self._session.resize(size.rows, size.columns)
            elif kind == Kind.SIGNAL:
                await self._session.signal(data.decode(errors="replace"))

    async def _take(self, tell: Tell) -> None:
        """Hand input over as the command takes it."""
        while True:
            data = await self._input.get()
            if data is None:
                await self._session.close_input()
                continue
            await self._session.write(data)
            self._waiting -= len(data)
            await tell(Kind.TAKEN, str(len(data)).encode())

    async def _show(self, tell: Tell) -> None:
        """Send output as the client takes it, until there is no more."""
        while (read := await self._session.read()) is not None:
            is_error, data = read
            await tell(Kind.ERROR_OUTPUT if is_error else Kind.OUTPUT, data)
        await self._session.wait()

    async def _daemon_ends(self) -> None:
        with self._bus.follow() as follower:
            while not self._bus.closed:
                await follower.wait(_LOOK_S)
        how = "restarted" if self._bus.comes_again else "stopped"
        raise DaemonTrouble(f"cannot go on with the command: the daemon was {how}, which ended it")


ENDPOINTS = tuple(
    Endpoint(
        "POST",
        f"/v1/projects/{{project}}/services/{{service}}/{name}",
        summary,
        handler,
        body=AskCommand,
        streams=TEXT,
        two_way=True,
    )
    for name, summary, handler in (
        ("exec", "Run a command beside a replica", exec_command),
        ("run", "Run one more process of a service, which is no replica", run_command),
    )
)
