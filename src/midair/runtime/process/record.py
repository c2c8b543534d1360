"""What is remembered about one replica, so that any later daemon can go on with it.

Written before the process is started: a replica without a record does not exist. Files are replaced as a whole but
not flushed to the disk: a record has to outlive the daemon, and no process outlives the machine.
"""

import os
from pathlib import Path

import msgspec

from midair.model.ids import ReplicaId
from midair.model.moment import Moment, Span
from midair.model.project import Revision
from midair.model.seen import ReplicaState
from midair.runtime.process.identity import Identity

FILE = "record.json"


class Stopping(msgspec.Struct, frozen=True):
    """How far the ordered end of a replica has come."""

    signal: str
    grace_s: Span
    stage: str = "pre_stop"  # pre_stop, signalling, signalled, killing
    deadline: Moment = 0.0  # of the stage


class Record(msgspec.Struct, frozen=True):
    """One replica: what it was made from, and what is known about it."""

    id: ReplicaId
    revision: Revision
    attempt: int
    port: int
    state: ReplicaState
    since: Moment
    begun: bool = False  # its process was started; the pid file or `identity` tells which
    identity: Identity | None = None
    hooked: bool = False  # every post_start hook has succeeded
    ready_at: Moment | None = None
    stop: Stopping | None = None
    exit_code: int | None = None
    killed: bool = False  # what had not ended within its grace period
    blame: str = ""  # why midair itself ended it
    detail: str = ""
    logger: Identity | None = None  # writes its log; None: the replica of an older midair does so itself
    log_start: int = 0  # size of the log when this attempt began
    made_at: Moment = 0.0  # of the first attempt


def write(folder: Path, record: Record) -> None:
    """Replace the record in `folder` at once and as a whole. Raises OSError."""
    for part in (folder.parent.parent, folder.parent, folder):  # a mode given with `parents` is for the last one alone
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / (FILE + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(record))
        draft.rename(folder / FILE)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(folder: Path) -> Record:
    """The record in `folder`. Raises OSError, and msgspec.MsgspecError when it is damaged."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Record)
