"""What the fake control plane answers: one shop in the middle of a change, and how changes end."""

from tests.cli.fake_daemon import Stream

from midair.model.counters import COUNTERS
from midair.model.plan import Confirmation, FieldChange, Plan, PlanStep
from midair.model.project import Port
from midair.model.seen import Tally
from midair.view.change import ChangeView
from midair.view.counts import CountsView, CountView, LatencyView
from midair.view.daemon import Health
from midair.view.event import EventView
from midair.view.status import ProjectSummary, ProjectView, ReplicaView, RevisionView, RouterView, ServiceView

NOW = 1_800_000_000.0
OLD, NEW = "51e0aa12", "7f3a91c2"


def health():
    return Health("0.1.0", 4100, "/srv/midair", NOW - 3600, 1)


def summary(folder=""):
    return ProjectSummary("shop", "progressing", 2, 4, 4, change=2, folder=folder)


def change(phase="progressing", **more):
    ended = {} if phase == "progressing" else {"ended_at": NOW + 5.8, "tally": Tally(18204, 18204)}
    base = {
        "id": 2, "project": "shop", "kind": "up", "phase": phase, "summary": "web: code changed", "created_at": NOW,
        "by": "ann", "services": ("web", "api"), "can_undo": True, "first_event": 11,
    }  # fmt: skip
    return ChangeView(**{**base, **ended, **more})


def replica(service, revision, ordinal, state, **more):
    base = {"since": NOW - 120.0, "address": f"127.0.0.1:4100{ordinal}", "pid": 4200 + ordinal}
    return ReplicaView(f"{service}/{revision}/{ordinal}", ordinal, state, **{**base, **more})


def project():
    new = (
        replica("web", NEW, 0, "serving", since=NOW - 3.0, weight=100, open=2),
        replica("web", NEW, 1, "starting", since=NOW - 0.5, attempt=2),
    )
    old = (
        replica("web", OLD, 0, "serving", weight=100),
        replica("web", OLD, 1, "draining", since=NOW - 1.0, open=1),
        replica("web", OLD, 2, "failed", pid=None, exit_code=1, detail="exited with 1"),
    )
    web = ServiceView(
        "web", "progressing", revision=NEW, wanted=3, ready=3, serving=2, ports=(Port(8000, 8000),),
        revisions=(RevisionView(NEW, "goal", new, 50.0), RevisionView(OLD, "old", old, 50.0)),
    )  # fmt: skip
    api = ServiceView(
        "api", "completed", revision="9a1b2c3d", wanted=1, ready=1, serving=1, hold=True, held=3,
        ports=(Port(5432, 5432, protocol="tcp"),),
        revisions=(RevisionView("9a1b2c3d", "goal", (replica("api", "9a1b2c3d", 0, "serving", weight=100),), 100.0),),
    )  # fmt: skip
    return ProjectView(
        "shop", NOW, (web, api), change=change(), router=RouterView(4101, NOW - 3600), counts=Tally(18204, 18203)
    )


def event(number, kind, text, since, *, service="web", replica="", **fields):
    return EventView(number, NOW + since, "shop", 2, kind, text, service, replica, fields)


def story(end):
    """The events of a change that replaces one replica and ends like this."""
    new, old = f"web/{NEW}/0", f"web/{OLD}/0"
    events = [
        event(11, "change-accepted", "change 2 accepted: up, web: code changed", 0.0, service=""),
        event(12, "replica-started", f"{new} starting", 0.1, replica=new, attempt=1),
        event(13, "replica-ready", f"{new} ready", 2.1, replica=new),
        event(14, "routes-asked", "web routes 4: …", 2.2, generation=4, weights={new: 100, old: 100}),
        event(15, "replica-draining", f"{old} draining", 2.3, replica=old),
        event(16, "replica-stopping", f"{old} stopping, 1 request cut at the drain deadline", 2.8, replica=old, cut=1),
        event(17, "replica-stopped", f"{old} stopped", 3.0, replica=old),
        *end,
    ]
    return Stream(("event", each) for each in events)


def ended(phase, reason=""):
    return event(19, "change-ended", f"change 2 {phase}", 5.8, service="", phase=phase, reason=reason)


def plan(**more):
    fields = (
        FieldChange("build (code)", "changed", "replace", "new code needs new processes"),
        FieldChange("deploy.replicas", "changed", "live", "replicas are added or drained", "2", "3"),
    )
    steps = (
        PlanStep("web", "change", "replace", fields, "rolling, 1 at a time, start-first", OLD, NEW, 2, 3),
        PlanStep("api", "keep", None, before="9a1b2c3d", after="9a1b2c3d", replicas_before=1, replicas_after=1),
    )
    return Plan("shop", **{"steps": steps, "warnings": ("web has no health check",), "digest": "d1", **more})


def risky_plan():
    return plan(confirmations=(Confirmation("gap", "api", "may be away for 12s"),))


def counts():
    old = {"accepted": 12004, "status_2xx": 11990, "status_4xx": 10, "lost": 4, "repeated": 1}
    new = {"accepted": 100, "status_2xx": 79, "status_5xx": 21}
    return CountsView(
        "shop",
        Tally(12104, 12100, lost=4),
        services=(count("web", OLD, "", old, 0.084, 0.375), count("web", NEW, "", new, 0.002, 1.25), count("api", "")),
        replicas=(count("web", NEW, f"web/{NEW}/0", new, 0.002, 1.25),),
    )


def count(service, revision, replica="", counters=None, p50_s=None, p99_s=None):
    numbers = dict.fromkeys((counter.name for counter in COUNTERS), 0) | (counters or {})
    return CountView(service, revision, replica, numbers, {"head": LatencyView(p50_s, p99_s, p99_s)})
