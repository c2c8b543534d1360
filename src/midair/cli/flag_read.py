"""Files that `midair flag` and `midair up` read: definitions of flags, and known users."""

import json
import sys
from pathlib import Path
from typing import Any

from midair.errors import FileRefused, Problem, UsageRefused
from midair.flags.definition import document
from midair.flags.read import parse, read, warnings


def read_flags(folder: str, extension: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `x-midair.flags` names: a file beside the Compose file, or the definitions themselves; and warnings."""
    if not extension:
        return {}, ()
    if isinstance(extension, dict):
        from midair.flags.read import build

        flags = build(extension, "x-midair.flags")
        return document(flags), warnings(flags, "x-midair.flags")
    if not isinstance(extension, str):
        raise FileRefused((Problem("x-midair.flags", "should be the path of a file"),))
    path = Path(folder) / extension
    flags = read(_bytes(path), str(path))
    return document(flags), warnings(flags, extension)


def read_definition(path: str) -> dict[str, Any]:
    """One flag as flagd writes it."""
    data = parse(sys.stdin.buffer.read() if path == "-" else _bytes(Path(path)), path)
    if not isinstance(data, dict):
        raise FileRefused((Problem("", "should be one flag, as an object", file=path),))
    return data


def read_users(path: str) -> tuple[dict[str, Any], ...]:
    """A targeting key, or a context as a JSON object, a line."""
    found = []
    for line in _bytes(Path(path)).decode(errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            found.append(json.loads(line) if line.lstrip()[:1] == "{" else {"targetingKey": line.strip()})
        except ValueError:
            raise UsageRefused(f'cannot read users from "{path}": "{line[:60]}" is not JSON') from None
    return tuple(found)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise FileRefused((Problem("", f"cannot read flags: {said}", file=str(path)),)) from None
