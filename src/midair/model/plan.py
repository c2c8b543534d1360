"""What a change will do, told before anything is touched. Data only; `plan` builds it."""

from typing import Literal

import msgspec

FieldClass = Literal["live", "reload", "resize", "replace", "recreate", "refuse"]
StepKind = Literal["add", "change", "remove", "keep"]


class LiveService(msgspec.Struct, frozen=True):
    """What is known of a service at the moment of planning, beside what was last applied."""

    replicas: int = 0  # on record and not ended
    ready: int = 0
    failing: bool = False  # stuck, or its replicas have given up: an unchanged file tries again
    reason: str = ""  # why it fails, for people
    stopped: bool = False  # a replica was stopped by hand: an `up` starts it again
    done: tuple[str, ...] = ()  # revisions that did all their work, and are not run again
    own_volumes: tuple[str, ...] = ()  # where its replicas keep data in volumes without a name
    listens: tuple[int, ...] = ()  # TCP ports at which others reach its replicas: seen, or named by their image
    long_lived: bool = False  # it had WebSockets or event streams in the last day, as far as the router knows


class Written(msgspec.Struct, frozen=True):
    """Files that were written into a release after it was made, without caches, logs, pid files and sockets."""

    files: dict[str, int] = {}  # by path relative to the release; "media/" is a folder with so many files, all written
    is_whole: bool = True  # the release was small enough to be looked through


class Code(msgspec.Struct, frozen=True):
    """What is known of the code of a service beside the names of its releases."""

    built_on: dict[str, str] = {}  # base images of the release in force: content by name
    will_be_on: dict[str, str] = {}  # those of the release to be


class FieldChange(msgspec.Struct, frozen=True):
    """One changed field and how it will be carried out."""

    path: str  # environment.LOG_LEVEL, deploy.replicas, build (code)
    kind: Literal["added", "changed", "removed"]
    field_class: FieldClass
    cause: str  # for people: why this class
    before: str | None = None  # shown only for values that cannot be secret
    after: str | None = None


class PlanStep(msgspec.Struct, frozen=True):
    """What happens to one service."""

    service: str
    kind: StepKind
    field_class: FieldClass | None  # the heaviest of its changes; None: added, removed or kept
    changes: tuple[FieldChange, ...] = ()
    how: str = ""  # rolling, 1 at a time, start-first …
    before: str | None = None  # revision id now
    after: str | None = None  # revision id to be; None: unknown until built, or removed
    replicas_before: int = 0
    replicas_after: int = 0
    waits_for: tuple[str, ...] = ()  # services that must be there first
    restarts: bool = False  # every replica is replaced by one of the same revision
    job: str = ""  # "runs": its work is over when it ends well; "done": it has completed for this revision


class Confirmation(msgspec.Struct, frozen=True):
    """Something users would notice, so that somebody has to say yes."""

    kind: str  # stable: gap, port, no-replica, data
    service: str
    text: str


class Plan(msgspec.Struct, frozen=True):
    """Steps in the order in which they are carried out, with everything a person should know first.

    Never holds the value of an environment variable, a config or a secret: only names.
    """

    project: str
    steps: tuple[PlanStep, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # facts that are worth a line and no warning
    troubles: tuple[str, ...] = ()  # what is amiss at this moment: shown every time, as a warning
    repeated: tuple[str, ...] = ()  # warnings and notes that the plan of an earlier change had in the same words
    confirmations: tuple[Confirmation, ...] = ()
    refusals: tuple[str, ...] = ()  # any of them: the change is not carried out
    drift: tuple[str, ...] = ()  # differences made by commands that this change keeps
    flags: tuple[str, ...] = ()  # what changes about feature flags, a line each
    digest: str = ""  # of what was compared; an accepted plan is carried out only if it is still the same

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to do."""
        return not self.flags and not self.touched

    @property
    def touched(self) -> tuple[str, ...]:
        """The services that anything happens to, in order."""
        return tuple(step.service for step in self.steps if step.kind != "keep")
