"""Events as the lines that people follow a change by: who, what, how long since the beginning."""

from collections.abc import Iterator, Mapping
from typing import Any

from midair.cli import out
from midair.view.event import EventView
from midair.view.status import ProjectView

_QUIET_PHASES = ("pending", "progressing", "baking", "promoting", "completed", "superseded")
_COLOURS = {
    "replica-ready": "green", "replica-failed": "red", "replica-waiting": "yellow", "replica-stopped": "blue",
    "phase-changed": "magenta", "wish-taken": "magenta", "change-accepted": "cyan", "change-ended": "cyan",
    "router-died": "red",
}  # fmt: skip


def tell(event: EventView, began: float, *, all_of_it: bool = False, width: int = out.LABEL) -> str | None:
    """The line of an event; None for one that only `midair events` shows."""
    if not all_of_it and _is_quiet(event):
        return None
    who = about(event) or "change"
    return out.line(who, what(event), event.at - began, colour=_COLOURS.get(event.kind), width=width)


def about(event: EventView) -> str:
    """Whom an event is about, in a word."""
    return event.service or ("router" if event.kind == "router-died" else "change" if event.change else "")


def what(event: EventView) -> str:
    """What happened, without the service's name in front."""
    text = event.text
    if event.kind == "routes-asked":
        text = _routes(event.fields)
    elif event.kind == "phase-changed" and event.fields.get("after") in ("rolling_back", "rolled_back"):
        text, _, _ = text.partition(": ")  # the reason was just told, and the verdict tells it again
    for opening in (f"{event.service}/", f"{event.service} "):
        text = text.removeprefix(opening)
    return text


def waiting(project: ProjectView) -> Iterator[tuple[str, str]]:
    """Service and text of each step that waits, and of each replica that is not what it should be, and says why."""
    for service in project.services:
        if service.step:
            yield service.name, service.step
        for revision in service.revisions:
            for replica in revision.replicas:
                if replica.detail and replica.state in ("starting", "unhealthy", "failed", "crashing"):
                    yield service.name, f"{revision.id}/{replica.ordinal} {replica.state}: {replica.detail}"


def _is_quiet(event: EventView) -> bool:
    match event.kind:
        case "routes-asked" | "change-accepted" | "change-ended" | "replica-draining":
            return True
        case "replica-stopping":
            return not event.fields.get("cut")
        case "phase-changed":
            return event.fields.get("after") in _QUIET_PHASES
    return False


def _routes(fields: Mapping[str, Any]) -> str:
    """Weights added up by revision: what share of new requests each gets."""
    shares: dict[str, int] = {}
    for replica, weight in fields.get("weights", {}).items():
        revision = replica.split("/")[1]
        shares[revision] = shares.get(revision, 0) + weight
    total = sum(shares.values())
    if not total:
        return "requests are held" if fields.get("hold") else "no routes"
    return "routes " + ", ".join(f"{revision} {100 * share / total:.0f} %" for revision, share in shares.items())
