"""What callers send: the bodies of the API's requests, shared by client and API."""

from typing import Any, Literal

import msgspec

from midair.model.command import Command
from midair.model.project import Project

PullPolicy = Literal["", "always", "missing", "never"]
WishName = Literal["pause", "resume", "promote", "abort", "hold", "release"]


class AskSettings(msgspec.Struct, frozen=True):
    """Change settings of the daemon."""

    settings: dict[str, str]  # by key; an empty value is the default


class AskPlan(msgspec.Struct, frozen=True):
    """What would it take to make what runs equal to this project?"""

    project: Project
    services: tuple[str, ...] = ()  # only these, and what they depend on; none given: all
    applies: bool = False  # it will be applied: contents of build folders are kept, so that they are read once
    build: bool = False  # images are built once more, on base images as their registries have them now
    pull: PullPolicy = ""  # in place of every `pull_policy` and `build.pull`


class AskUp(msgspec.Struct, frozen=True):
    """Carry out the plan that was shown, with its `build` and `pull`."""

    project: Project
    digest: str  # of that plan; another one now: Conflict
    confirmed: bool = False  # somebody said yes to the plan's confirmations
    services: tuple[str, ...] = ()
    by: str = ""  # who asks, for the history
    token: str = ""  # drawn by the caller, who finds the change by it when the answer was lost
    why: str = ""  # in their words, for the history
    build: bool = False
    pull: PullPolicy = ""


class AskUndo(msgspec.Struct, frozen=True):
    """Go to the state before a change."""

    change: int | None = None  # None: the last one that is neither an undo nor undone
    digest: str | None = None  # of the plan that was shown; None: whatever it takes
    confirmed: bool = False
    by: str = ""
    token: str = ""  # drawn by the caller, who finds the change by it when the answer was lost
    why: str = ""  # in their words, for the history


class AskServiceRestart(msgspec.Struct, frozen=True):
    """Replace every replica of services by one of the same revision."""

    services: tuple[str, ...] = ()  # none: all, but for jobs that have completed
    digest: str | None = None  # of the plan that was shown; None: whatever it takes
    confirmed: bool = False
    by: str = ""
    token: str = ""  # drawn by the caller, who finds the change by it when the answer was lost
    why: str = ""  # in their words, for the history


class AskScale(msgspec.Struct, frozen=True):
    """Change replica counts."""

    replicas: dict[str, int]  # by service
    by: str = ""
    token: str = ""  # drawn by the caller, who finds the change by it when the answer was lost
    why: str = ""  # in their words, for the history


FlagAct = Literal[
    "on", "off", "kill", "share", "set", "define", "remove", "roll", "pause", "resume", "abort",
    "schedule", "unschedule", "bucketing",
]  # fmt: skip


class AskFlag(msgspec.Struct, frozen=True):
    """Do something to one feature flag, or to the bucketing of all."""

    act: FlagAct
    key: str = ""
    variant: str | None = None  # set, roll, schedule
    shares: dict[str, float] = {}  # share, schedule: percent by variant
    definition: dict[str, Any] | None = None  # define: the flag as flagd writes it
    extra: dict[str, Any] = {}  # define: what x-midair says about it, beside what it says already
    to: float = 100  # roll: percent
    steps: tuple[float, ...] = ()  # roll: percent
    every_s: float = 600  # roll: between steps
    replace: bool = False  # roll: also in the place of a rule
    at: str = ""  # schedule: ISO time
    version: str = ""  # bucketing: v2 or v3
    create: bool = False  # set, share, roll: also a flag that nobody has defined
    by: str = ""  # who asks, for the history
    why: str = ""


class AskFlagUndo(msgspec.Struct, frozen=True):
    """Bring flags back as they were before the last change to them."""

    key: str = ""  # only this one
    by: str = ""
    why: str = ""


class AskMoves(msgspec.Struct, frozen=True):
    """How many of these users would another generation of bucketing move?"""

    version: str
    users: tuple[dict[str, Any], ...] = ()  # evaluation contexts; none: made-up ones, for an estimate


class AskDown(msgspec.Struct, frozen=True):
    """Drain and stop everything; the history stays."""

    by: str = ""
    token: str = ""  # drawn by the caller, who finds the change by it when the answer was lost
    why: str = ""  # in their words, for the history


class AskRename(msgspec.Struct, frozen=True):
    """Call a project otherwise."""

    name: str
    by: str = ""


class AskWish(msgspec.Struct, frozen=True):
    """Steer a rollout."""

    wish: WishName


class AskCommand(msgspec.Struct, frozen=True):
    """Run a command beside the replicas of a service, in a stream that goes both ways."""

    command: Command
    index: int | None = None  # exec: which of the service's replicas, from 1; None: any
    publish: bool = False  # run: at the published ports of the service
    by: str = ""  # who asks, for the history


class AskRestart(msgspec.Struct, frozen=True):
    """Put another process in the daemon's place."""

    python: str = ""  # the interpreter that is to run it, as an absolute path; "": the one that runs it now


class AskPath(msgspec.Struct, frozen=True):
    """A file on this machine to write to or to read from."""

    path: str
