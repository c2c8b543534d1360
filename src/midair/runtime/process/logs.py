"""Log files of replicas. A `logger` writes each of them and turns it over.

Replicas of an older midair write straight to their files: those are turned over here by copying and truncating, and
what is written between the two is lost.
"""

import os
import time
from pathlib import Path

from midair.runtime.entry import of_logger
from midair.runtime.error_line import error_line

LIMIT = 10 * 1024 * 1024  # bytes of a log before it is turned over
KEPT = 3  # older parts that are kept: web.0.log.1 is the newest
KEPT_OF_THE_GONE = 10  # logs per service of replicas that are no more
LAST_WORDS_S = 60.0  # a log of a replica that is no more is shown for so long beside those of the living
_TAIL = 16384  # bytes at the end of a log in which an error is looked for
_CHUNK = 1024 * 1024


def turn_over(log: Path, limit: int = LIMIT, kept: int = KEPT) -> bool:
    """Begin the log anew if it is longer than `limit`. True when it did."""
    try:
        if log.stat().st_size <= limit:
            return False
        draft = log.with_name(f"{log.name}.new")
        _move_contents(log, draft)
        for number in range(kept - 1, 0, -1):
            if part(log, number).exists():
                part(log, number).replace(part(log, number + 1))
        draft.replace(part(log, 1))
    except OSError:
        return False  # a full disk or a missing folder; the next round tries again
    return True


def part(log: Path, number: int) -> Path:
    """The older part `number` of a log; 1 is the newest."""
    return log.with_name(f"{log.name}.{number}")


def prune(folder: Path, used: set[Path], kept: int = KEPT_OF_THE_GONE) -> None:
    """Delete the oldest logs in a service's folder, except those of replicas on record."""
    try:
        gone = sorted((log for log in folder.glob("*.log") if log not in used), key=_changed_at)
    except OSError:
        return
    for log in gone[: max(0, len(gone) - kept)]:
        for file in (log, *folder.glob(f"{log.name}.*")):
            file.unlink(missing_ok=True)


def of_the_gone(folder: Path, used: set[Path], *, lately: bool) -> list[Path]:
    """Logs in a service's folder except those in `used`, oldest first; `lately`: only those written to just now."""
    gone = sorted((log for log in folder.glob("*.log") if log not in used), key=_changed_at)
    return [log for log in gone if _changed_at(log) > time.time() - LAST_WORDS_S] if lately else gone


def error_of(log: Path, start: int) -> str:
    """The line that names the error, of those written since the log had `start` bytes; "" when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = max(start if start <= size else 0, size - _TAIL)
            file.seek(begin)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return error_line("\n".join(of_logger(line).text for line in text.split("\n")))


def size(log: Path) -> int:
    """Bytes in the log now."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _move_contents(log: Path, draft: Path) -> None:
    try:
        with log.open("r+b") as source, draft.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            # Not what is written meanwhile: a writer that is as fast as this would be followed for ever.
            end = os.fstat(source.fileno()).st_size
            source.seek(max(0, end - LIMIT))
            while chunk := source.read(min(_CHUNK, end - source.tell())):
                target.write(chunk)
                target.flush()
            source.truncate(0)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _changed_at(log: Path) -> float:
    try:
        return log.stat().st_mtime
    except OSError:
        return 0.0
