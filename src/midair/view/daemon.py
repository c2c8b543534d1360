"""The control plane itself, as people see it."""

import msgspec

from midair.model.moment import Moment


class Health(msgspec.Struct, frozen=True):
    """Who answers on the API socket."""

    version: str
    pid: int
    home: str
    started_at: Moment
    projects: int
    problem: str = ""  # why the control plane cannot work at the moment, for people
    python: str = ""  # the interpreter that runs it, which says where it is installed
    settings: dict[str, str] = {}  # by key, as `midair daemon set` changes them; without those never set


class BackupView(msgspec.Struct, frozen=True):
    """A backup that was written or read."""

    path: str
    bytes: int
    projects: tuple[str, ...]


class Done(msgspec.Struct, frozen=True):
    """The answer to something that has no other: what was done, for people."""

    text: str
    removed: tuple[str, ...] = ()  # what of a user's went with it, a line each
