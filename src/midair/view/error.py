"""The one form of every error: {"error": {"kind", "message", "hint", "problems"?}}."""

import msgspec

from midair.errors import Problem


class ErrorView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong."""

    kind: str  # stable, see docs/errors.md
    message: str
    hint: str | None = None
    problems: tuple[Problem, ...] | None = None  # of a file, all at once


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer that is no success."""

    error: ErrorView
