"""What callers send: the bodies of the API's requests, shared by client and API."""

from typing import Literal

import msgspec

from midair.model.project import Project

WishName = Literal["pause", "resume", "promote", "abort", "hold", "release"]


class AskPlan(msgspec.Struct, frozen=True):
    """What would it take to make what runs equal to this project?"""

    project: Project
    services: tuple[str, ...] = ()  # only these, and what they depend on; none given: all


class AskUp(msgspec.Struct, frozen=True):
    """Carry out the plan that was shown."""

    project: Project
    digest: str  # of that plan; another one now: Conflict
    confirmed: bool = False  # somebody said yes to the plan's confirmations
    services: tuple[str, ...] = ()
    by: str = ""  # who asks, for the history


class AskUndo(msgspec.Struct, frozen=True):
    """Go to the state before a change."""

    change: int | None = None  # None: the last one that is neither an undo nor undone
    digest: str | None = None  # of the plan that was shown; None: whatever it takes
    confirmed: bool = False
    by: str = ""


class AskScale(msgspec.Struct, frozen=True):
    """Change replica counts."""

    replicas: dict[str, int]  # by service
    by: str = ""


class AskDown(msgspec.Struct, frozen=True):
    """Drain and stop everything; the history stays."""

    by: str = ""


class AskWish(msgspec.Struct, frozen=True):
    """Steer a rollout."""

    wish: WishName


class AskPath(msgspec.Struct, frozen=True):
    """A file on this machine to write to or to read from."""

    path: str
