"""Feature flags as people see them."""

from typing import Any

import msgspec

from midair.model.moment import Moment


class RampView(msgspec.Struct, frozen=True):
    """A ramp under way."""

    variant: str
    percent: float
    steps: tuple[float, ...]
    due_at: Moment | None  # the next step; None: paused
    why: str = ""


class FlagView(msgspec.Struct, frozen=True):
    """One flag."""

    key: str
    state: str  # ENABLED, DISABLED
    told: str  # who gets what, in a few words
    definition: dict[str, Any]
    extra: dict[str, Any]  # what x-midair says about it
    ramp: RampView | None = None
    changed_at: Moment | None = None
    changed_by: str = ""
    exposures: dict[str, int] = {}  # by variant, as clients have reported
    misses: dict[str, int] = {}  # by error code
    last_seen: Moment | None = None
    uncounted: bool = False  # clients of flagd's sync have it: what they evaluate is not counted


class FlagSetView(msgspec.Struct, frozen=True):
    """All flags of a project."""

    project: str
    fractional: str  # v2 or v3
    flags: tuple[FlagView, ...] = ()


class FindingView(msgspec.Struct, frozen=True):
    """A remark about a flag, or about the set."""

    flag: str
    kind: str
    message: str


class MovesView(msgspec.Struct, frozen=True):
    """How many users a change moves."""

    known: int
    moved: int
    by_flag: dict[str, int]
    estimated: bool  # over made-up users


class FlagChangeView(msgspec.Struct, frozen=True):
    """What one change did to flags."""

    change: int
    at: Moment
    kind: str
    by: str
    why: str
    lines: tuple[str, ...]
    undoes: int | None = None  # a change of everything
    takes_back: int | None = None  # a change whose flags alone it brought back
