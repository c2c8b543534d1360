"""One line of a log file, taken apart. Both runtimes keep a file for each replica, in forms of their own."""

from datetime import datetime

import msgspec

from midair.model.moment import Moment

_STAMP = len("2027-01-15T08:00:00.123456Z")


class Entry(msgspec.Struct, frozen=True):
    """A line that a replica printed."""

    text: str
    time: Moment | None = None  # None: unknown, as for lines that an older midair kept
    stream: str = ""  # stdout, stderr; "" where both go through one pipe


class _OfEngine(msgspec.Struct):
    """A line as a Docker engine keeps it."""

    log: str
    time: str = ""
    stream: str = ""


def entry_of(path: str, line: str) -> Entry:
    """The entry in a line of the log file at `path`."""
    return _of_engine(line) if path.endswith("-json.log") else of_logger(line)


def of_logger(line: str) -> Entry:
    """A line as the process runtime's logger keeps it: a time, a tab, the text."""
    if line[_STAMP : _STAMP + 1] == "\t" and (time := _time(line[:_STAMP])) is not None:
        return Entry(line[_STAMP + 1 :], time)
    return Entry(line)


def _of_engine(line: str) -> Entry:
    try:
        entry = msgspec.json.decode(line, type=_OfEngine)
    except msgspec.DecodeError:
        return Entry(line)
    return Entry(entry.log.removesuffix("\n"), _time(entry.time), entry.stream)


def _time(text: str) -> Moment | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text.endswith("Z") else None
    except ValueError:
        return None
