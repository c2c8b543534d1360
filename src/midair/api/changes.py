"""Changes: the history, and how one more is asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

from starlette.responses import Response

from midair.api.endpoint import Call, Endpoint
from midair.api.problem import error_answer
from midair.api.projects import same_project
from midair.api.stream import ALIVE, ALIVE_S, sse, stream
from midair.engine import show
from midair.errors import MidairError, NotFound
from midair.model.plan import Plan
from midair.view.ask import AskDown, AskScale, AskServiceRestart, AskUndo, AskUp
from midair.view.change import ChangeView
from midair.view.error import ErrorAnswer
from midair.view.event import EventView

Accept = Callable[[Callable[[EventView], None]], Coroutine[None, None, ChangeView]]
EVENTS = {"progress": EventView, "accepted": ChangeView, "error": ErrorAnswer}
PROGRESS = (
    "With `Accept: text/event-stream` the answer is a stream: `progress` events while code is built, then one "
    "`accepted` event with the change, or one `error` event. Who hangs up before that takes "
    "back what was asked for."
)


async def list_changes(call: Call) -> tuple[ChangeView, ...]:
    return show.history(call.engine.keeper(call.project))


async def get_change(call: Call) -> ChangeView:
    number = call.path("change")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise NotFound(f'cannot find change "{number}": changes have numbers')
    return show.change(call.engine.keeper(call.project), int(number))


async def up(call: Call) -> ChangeView | Response:
    ask: AskUp = call.body
    same_project(call, ask.project)
    return await _accept(call, lambda progress: call.engine.up(ask, progress))


async def plan_undo(call: Call) -> Plan:
    return await call.engine.plan_undo(call.project, call.body)


async def undo(call: Call) -> ChangeView | Response:
    return await _accept(call, lambda progress: call.engine.undo(call.project, call.body, progress))


async def plan_restart(call: Call) -> Plan:
    return await call.engine.plan_restart(call.project, call.body)


async def restart_services(call: Call) -> ChangeView | Response:
    return await _accept(call, lambda progress: call.engine.restart(call.project, call.body, progress))


async def scale(call: Call) -> ChangeView | Response:
    return await _accept(call, lambda progress: call.engine.scale(call.project, call.body, progress))


async def down(call: Call) -> ChangeView | Response:
    return await _accept(call, lambda progress: call.engine.down(call.project, call.body, progress))


async def _accept(call: Call, accept: Accept) -> ChangeView | Response:
    if not call.wants_events:
        return await call.while_there(accept(lambda line: None))
    return stream(_tell(accept), status=202)


async def _tell(accept: Accept) -> AsyncIterator[bytes]:
    lines: asyncio.Queue[EventView | None] = asyncio.Queue()
    task = asyncio.create_task(accept(lines.put_nowait))
    task.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while True:
            try:
                async with asyncio.timeout(ALIVE_S):
                    line = await lines.get()
            except TimeoutError:
                yield ALIVE
                continue
            if line is None:
                break
            yield sse("progress", line)
        yield sse("accepted", task.result())
    except MidairError as error:
        yield sse("error", error_answer(error))
    finally:
        task.cancel()  # the caller is gone: what was not accepted yet is not carried out
        await asyncio.gather(task, return_exceptions=True)


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/projects/{project}/changes", "The history, newest first", list_changes, tuple[ChangeView, ...]
    ),
    Endpoint("GET", "/v1/projects/{project}/changes/{change}", "One change", get_change, ChangeView),
    Endpoint(
        "POST",
        "/v1/projects/{project}/changes",
        "Carry out a plan",
        up,
        ChangeView,
        AskUp,
        status=202,
        streams=PROGRESS,
        events=EVENTS,
    ),
    Endpoint("POST", "/v1/projects/{project}/undo-plan", "What an undo would do", plan_undo, Plan, AskUndo),
    Endpoint(
        "POST",
        "/v1/projects/{project}/undo",
        "Go to the state before a change",
        undo,
        ChangeView,
        AskUndo,
        status=202,
        streams=PROGRESS,
        events=EVENTS,
    ),
    Endpoint(
        "POST",
        "/v1/projects/{project}/restart-plan",
        "What a restart of services would do",
        plan_restart,
        Plan,
        AskServiceRestart,
    ),
    Endpoint(
        "POST",
        "/v1/projects/{project}/restart",
        "Replace every replica of services by one of the same revision",
        restart_services,
        ChangeView,
        AskServiceRestart,
        status=202,
        streams=PROGRESS,
        events=EVENTS,
    ),
    Endpoint(
        "POST",
        "/v1/projects/{project}/scale",
        "Change replica counts",
        scale,
        ChangeView,
        AskScale,
        status=202,
        streams=PROGRESS,
        events=EVENTS,
    ),
    Endpoint(
        "POST",
        "/v1/projects/{project}/down",
        "Drain and stop everything",
        down,
        ChangeView,
        AskDown,
        status=202,
        streams=PROGRESS,
        events=EVENTS,
    ),
)
