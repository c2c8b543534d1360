"""How a set of flags travels to those who evaluate it: lines, one flag each, so that unchanged ones cost nothing.

A head {"set", "version", "fractional", "metadata", "full", "beat"}, then `"key"<tab>definition` for each flag
(nothing after the tab: the flag is gone), then `.`, which puts all of it into force at once. An empty line says
that the other side is alive.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

END = b"."


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def snapshot(head: Mapping[str, Any], flags: Mapping[str, bytes]) -> bytes:
    """The whole set."""
    lines = [text({**head, "full": True}), *[text(key) + b"\t" + flag for key, flag in flags.items()], END, b""]
    return b"\n".join(lines)


def difference(head: Mapping[str, Any], before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bytes:
    """What those need who have the set as it was before."""
    lines = [text({**head, "full": False})]
    lines += [text(key) + b"\t" for key in before if key not in after]
    lines += [text(key) + b"\t" + flag for key, flag in after.items() if before.get(key) != flag]
    return b"\n".join([*lines, END, b""])


class Assembly:
    """Puts lines together again. Half a set is never seen by anyone."""

    def __init__(self, flags: Mapping[str, bytes]) -> None:
        self.flags = flags  # the last complete set
        self.head: dict[str, Any] = {}  # its head
        self.coming: dict[str, Any] | None = None
        self.parts: dict[str, bytes] = {}

    def take(self, line: bytes) -> bool:
        """True when this line completed a set. ValueError when it makes no sense."""
        if not line:
            return False
        if line[:1] == b"{":
            self.coming = json.loads(line)
            self.parts = {} if self.coming["full"] else dict(self.flags)
            return False
        if self.coming is None:
            raise ValueError("flags came before their head")
        if line == END:
            self.flags, self.head, self.coming = self.parts, self.coming, None
            return True
        key, _, flag = line.partition(b"\t")
        if flag:
            self.parts[json.loads(key)] = flag
        else:
            self.parts.pop(json.loads(key), None)
        return False
