"""A line that a replica printed."""

import msgspec

from midair.model.moment import Moment


class LogLine(msgspec.Struct, frozen=True):
    """One line of one replica's output."""

    replica: str
    text: str
    at: int = 0  # where the next line begins in this replica's log: a byte, or nanoseconds since 1970
    time: Moment | None = None  # when it was printed; None: an older midair kept it without
    service: str = ""
    stream: str = ""  # stdout, stderr; "" where both go through one pipe; midair for a line about the log itself
