"""An event as people see it: the stored fact, and one line of text."""

from typing import Any

import msgspec

from midair.model.event import (
    ChangeAccepted,
    ChangeEnded,
    CommandBegan,
    CommandEnded,
    Event,
    MachineRestarted,
    PhaseChanged,
    ProjectRenamed,
    ProjectTakenDown,
    Recorded,
    ReplicaDraining,
    ReplicaEndedByHand,
    ReplicaFailed,
    ReplicaReady,
    ReplicaResized,
    ReplicaStarted,
    ReplicaStopped,
    ReplicaStopping,
    ReplicaWaiting,
    RouterDied,
    RoutesAsked,
    WishTaken,
)
from midair.model.ids import service_of
from midair.model.moment import Moment
from midair.model.seen import Tally
from midair.view.uncounted import counted_text


class EventView(msgspec.Struct, frozen=True):
    """One line of the history or of the live stream."""

    number: int  # counts up; 0: a passing line that is not kept (kind "progress")
    at: Moment
    project: str
    change: int | None
    kind: str  # the event's tag: replica-ready, phase-changed … or "progress"
    text: str  # one line for people
    service: str = ""  # "" when it concerns the whole change
    replica: str = ""
    fields: dict[str, Any] = {}  # the event's own attributes


def event_view(recorded: Recorded) -> EventView:
    """The view of a stored event."""
    fields = msgspec.to_builtins(recorded.event)
    kind = fields.pop("type")
    replica = fields.get("replica", "")
    return EventView(
        number=recorded.number,
        at=recorded.at,
        project=recorded.project,
        change=recorded.change,
        kind=kind,
        text=describe(recorded.event),
        service=fields.get("service", "") or (service_of(replica) if replica else ""),
        replica=replica,
        fields=fields,
    )


def progress_view(project: str, at: Moment, service: str, text: str) -> EventView:
    """A line of a build, shown while it happens and not kept."""
    return EventView(number=0, at=at, project=project, change=None, kind="progress", text=text, service=service)


def describe(event: Event) -> str:
    """One line for people."""
    match event:
        case (
            ReplicaStarted() | ReplicaReady() | ReplicaWaiting() | ReplicaFailed() | ReplicaDraining()
            | ReplicaEndedByHand()
        ):  # fmt: skip
            return _describe_replica(event)
        case ReplicaStopping(replica, cut):
            return f"{replica} stopping" + (f", {_plural(cut, 'request')} cut at the drain deadline" if cut else "")
        case ReplicaStopped():
            return _describe_stop(event)
        case ProjectTakenDown() | ProjectRenamed():
            return _describe_project(event)
        case ReplicaResized(replica):
            return f"{replica} has other limits now"
        case ChangeAccepted(change, kind, summary):
            return f"change {change} accepted: {kind}" + (f", {summary}" if summary else "")
        case ChangeEnded():
            return _describe_end(event)
        case PhaseChanged(service, before, after, reason):
            return f"{service} {_words(before)} → {_words(after)}" + (f": {reason}" if reason else "")
        case RoutesAsked(service, generation, weights, hold):
            return f"{service} routes {generation}: {_shares(weights, hold)}"
        case RouterDied() | MachineRestarted():
            return _describe_death(event)
        case WishTaken() | CommandBegan() | CommandEnded():
            return _describe_person(event)


def _describe_person(event: WishTaken | CommandBegan | CommandEnded) -> str:
    """What a person did beside changes."""
    match event:
        case WishTaken(service, wish):
            return f"{service} {wish} asked for"
        case CommandBegan():
            return f"{_command(event)} began"
        case CommandEnded(exit_code=code, took_s=took_s):
            return f"{_command(event)} ended with code {code} after {took_s:.1f} s"


def _command(event: CommandBegan | CommandEnded) -> str:
    place = event.replica or event.service
    return f"{event.how} in {place}" + (f" by {event.by}" if event.by else "")


def _describe_replica(
    event: ReplicaStarted | ReplicaReady | ReplicaWaiting | ReplicaFailed | ReplicaDraining | ReplicaEndedByHand,
) -> str:
    match event:
        case ReplicaEndedByHand(replica, how):
            return f"{replica} {how} by hand; it stays so until midair up"
        case ReplicaStarted(replica, attempt):
            return f"{replica} starting" + (f", attempt {attempt}" if attempt > 1 else "")
        case ReplicaReady(replica, note, is_job):
            return f"{replica} {'running' if is_job else 'ready'}" + (f"; {note}" if note else "")
        case ReplicaWaiting(replica, reason):
            return f"{replica} starting: {reason}"
        case ReplicaFailed(replica, reason):
            return f"{replica} failed: {reason}"
        case ReplicaDraining(replica):
            return f"{replica} draining"


def _describe_project(event: ProjectTakenDown | ProjectRenamed) -> str:
    if isinstance(event, ProjectRenamed):
        return f"project {event.before} renamed to {event.after}" + (f" by {event.by}" if event.by else "")
    return "taken down by somebody else, as by docker compose down; midair up starts it again"


def _describe_stop(event: ReplicaStopped) -> str:
    if event.killed_after_s is None:
        return f"{event.replica} stopped"
    after = f"{event.killed_after_s:g}s after {event.signal} (stop_grace_period)"
    code = f", exit code {event.exit_code}" if event.exit_code is not None else ""
    return f"{event.replica} killed: it had not ended {after}{code}"


def _describe_death(event: RouterDied | MachineRestarted) -> str:
    if isinstance(event, MachineRestarted):
        lost = f", {_plural(event.lost, 'request')} inside the router lost" if event.lost else ""
        return f"the machine was restarted{lost}"
    text = "router died"
    if event.took_s is None:
        text += " while no control plane was there"
    elif event.took_s > 0:
        text += f", was back after {event.took_s:.2f} s"
    text += f", {_plural(event.lost, 'request')} inside it lost"
    if event.refused:
        return f"{text}; connections made meanwhile were refused and cannot be counted"
    return f"{text}; connections made meanwhile waited" if event.took_s else text


def _describe_end(event: ChangeEnded) -> str:
    text = f"change {event.change} {_words(event.phase)}"
    if event.reason:
        text += f": {event.reason}"
    if event.accepted or event.uncounted or event.cut:
        tally = Tally(accepted=event.accepted, lost=event.lost)
        text += f", {counted_text(tally, event.uncounted, event.cut, event.failures)}"
    return text


def _shares(weights: dict[str, int], hold: bool) -> str:
    if not weights:
        return "requests are held" if hold else "none"
    total = sum(weights.values()) or 1
    return ", ".join(f"{replica} {100 * weight / total:.0f} %" for replica, weight in sorted(weights.items()))


def _words(phase: str) -> str:
    return phase.replace("_", " ")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
