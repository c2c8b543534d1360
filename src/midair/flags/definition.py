"""A set of flags as its file says it: flagd's flag definitions, and midair's own words under `x-midair`.

Stock readers ignore `x-midair`; `plain` compiles it away.
"""

import json
from typing import Any, Literal

import msgspec

from midair.errors import Problem

Version = Literal["v2", "v3"]
Flag = dict[str, Any]  # one flag as flagd writes it
Logic = Any  # JsonLogic

UNNAMED: Version = "v2"  # what flagd itself and most of its providers do while a set names none


class FlagSet(msgspec.Struct, frozen=True):
    """Definitions that passed every check. Its parts are never changed in place."""

    flags: dict[str, Flag] = {}
    evaluators: dict[str, Logic] = {}
    metadata: dict[str, Any] = {}
    extension: dict[str, Any] = {}  # x-midair: fractional, segments, flags
    others: dict[str, Any] = {}  # $schema and whatever else the file says
    odd: dict[str, tuple[Problem, ...]] = {}  # by flag: what leads to an error when somebody asks for it

    @property
    def fractional(self) -> Version:
        named: Version = self.extension.get("fractional", UNNAMED)
        return named

    @property
    def segments(self) -> dict[str, Any]:
        found: dict[str, Any] = self.extension.get("segments", {})
        return found

    def extra(self, key: str) -> dict[str, Any]:
        """What `x-midair` says about one flag."""
        found: dict[str, Any] = self.extension.get("flags", {}).get(key, {})
        return found

    def with_flag(self, key: str, flag: Flag | None, extra: dict[str, Any] | None) -> "FlagSet":
        """The set with one flag put, or taken out (None)."""
        flags = {**self.flags, key: flag} if flag is not None else {k: v for k, v in self.flags.items() if k != key}
        extras = {name: value for name, value in self.extension.get("flags", {}).items() if name != key}
        if extra:
            extras[key] = extra
        extension = {name: value for name, value in self.extension.items() if name != "flags"}
        if extras:
            extension["flags"] = extras
        return msgspec.structs.replace(self, flags=flags, extension=extension)


def document(flags: FlagSet) -> dict[str, Any]:
    """The set as a file says it; reading it again gives the same set."""
    found: dict[str, Any] = {**flags.others, "flags": flags.flags}
    for name, part in (("$evaluators", flags.evaluators), ("metadata", flags.metadata), ("x-midair", flags.extension)):
        if part:
            found[name] = part
    return found


def write(flags: FlagSet) -> str:
    return json.dumps(document(flags), indent=2, ensure_ascii=False) + "\n"
