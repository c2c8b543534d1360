"""A line that a replica printed."""

import msgspec


class LogLine(msgspec.Struct, frozen=True):
    """One line of one replica's output."""

    replica: str
    text: str
