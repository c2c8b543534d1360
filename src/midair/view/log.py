"""A line that a replica printed."""

import msgspec


class LogLine(msgspec.Struct, frozen=True):
    """One line of one replica's output."""

    replica: str
    text: str
    at: int = 0  # where the next line begins in this replica's log
