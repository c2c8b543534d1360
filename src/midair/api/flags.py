"""Feature flags: what is in force, what was changed, and how it is changed."""

from typing import Any

import msgspec

from midair.api.endpoint import Call, Endpoint
from midair.flags import lint, moves, operate
from midair.flags.definition import document
from midair.view.ask import AskFlag, AskFlagUndo, AskMoves
from midair.view.change import ChangeView
from midair.view.flag import FindingView, FlagChangeView, FlagSetView, MovesView


class OneFlag(msgspec.Struct, frozen=True):
    """Only this flag."""

    key: str = ""


class Stale(msgspec.Struct, frozen=True):
    """How long a flag may stay unused or one-sided."""

    days: float = 30.0


async def list_flags(call: Call) -> FlagSetView:
    view = call.engine.flags.show(call.project)
    counted = call.engine.flags.counted(call.project)
    return msgspec.structs.replace(
        view,
        flags=tuple(
            msgspec.structs.replace(
                flag,
                exposures=counted.get(flag.key, {}).get("variants", {}),
                misses=counted.get(flag.key, {}).get("misses", {}),
                last_seen=counted.get(flag.key, {}).get("last_seen"),
                uncounted=counted.get(flag.key, {}).get("uncounted", False),
            )
            for flag in view.flags
        ),
    )


async def get_flag_document(call: Call) -> dict[str, Any]:
    return document(call.engine.flags.document(call.project))


async def change_flag(call: Call) -> ChangeView:
    ask: AskFlag = call.body
    return call.engine.flags.change(call.project, ask)


async def undo_flag(call: Call) -> ChangeView:
    ask: AskFlagUndo = call.body
    return call.engine.flags.undo(call.project, ask.by, ask.why, ask.key)


async def flag_history(call: Call) -> tuple[FlagChangeView, ...]:
    return call.engine.flags.history(call.project, call.query.key)


async def lint_flags(call: Call) -> tuple[FindingView, ...]:
    flags, now = call.engine.flags.document(call.project), call.engine.clock()
    return tuple(FindingView(one.flag, one.kind, one.message) for one in lint.lint(flags, now))


async def stale_flags(call: Call) -> tuple[FindingView, ...]:
    view = call.engine.flags.show(call.project)
    counted = call.engine.flags.counted(call.project)
    known = {key: entry for key, entry in counted.items() if not entry.get("uncounted")}
    seen = {key: entry["last_seen"] for key, entry in known.items() if entry.get("last_seen")}
    changed = {flag.key: flag.changed_at for flag in view.flags if flag.changed_at is not None}
    flags, now = call.engine.flags.document(call.project), call.engine.clock()
    found = lint.stale(flags, seen, changed, now, days=call.query.days)
    return tuple(FindingView(one.flag, one.kind, one.message) for one in found)


async def flag_moves(call: Call) -> MovesView:
    ask: AskMoves = call.body
    flags = call.engine.flags.document(call.project)
    users = ask.users or tuple(moves.sample())
    found = moves.moves(flags, operate.switch_bucketing(flags, ask.version), users, call.engine.clock())
    return MovesView(found.known, found.moved, found.by_flag, estimated=not ask.users)


FLAGS = "/v1/projects/{project}/flags"
ENDPOINTS = (
    Endpoint("GET", FLAGS, "Flags in force, with what is known of each", list_flags, FlagSetView),
    Endpoint("POST", FLAGS, "Change a flag", change_flag, ChangeView, AskFlag, status=202),
    Endpoint("GET", f"{FLAGS}/document", "Flags as a file says them", get_flag_document, dict[str, Any]),
    Endpoint("GET", f"{FLAGS}/history", "Who changed what, when and why", flag_history, tuple[FlagChangeView, ...],
             query=OneFlag),
    Endpoint("POST", f"{FLAGS}/undo", "Take the last change of flags back, and nothing else", undo_flag, ChangeView,
             AskFlagUndo, status=202),
    Endpoint("GET", f"{FLAGS}/lint", "What is allowed but unwise", lint_flags, tuple[FindingView, ...]),
    Endpoint("GET", f"{FLAGS}/stale", "Flags that have outlived their use", stale_flags, tuple[FindingView, ...],
             query=Stale),
    Endpoint("POST", f"{FLAGS}/moves", "How many users another generation of bucketing would move", flag_moves,
             MovesView, AskMoves),
)  # fmt: skip
