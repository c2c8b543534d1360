"""Finds the file that a command names, and the interpreter that this file needs and that is missing."""

import os
import shutil
from pathlib import Path

_HEAD = 512  # bytes; the kernel reads fewer


def find_program(name: str, folder: Path, path: str) -> Path | None:
    """The file of a command, as its process will find it. Relative entries of PATH count from its folder."""
    if "/" in name:
        return folder / name if (folder / name).exists() else None
    places = os.pathsep.join(str(folder / place) for place in path.split(os.pathsep))
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def missing_interpreter(name: str, folder: Path, path: str) -> str:
    """What the first line of a script asks for and is not there; "" when nothing is missing, or it is no script.

    The kernel and the shell report it as if the script itself were missing.
    """
    file = find_program(name, folder, path)
    words = _first_line(file).split() if file is not None else []
    if not words:
        return ""
    if not (folder / words[0]).exists():
        return words[0]
    if os.path.basename(words[0]) == "env":
        wanted = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        if wanted and find_program(wanted, folder, path) is None:
            return wanted
    return ""


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as script:
            head = script.read(_HEAD)
    except OSError:
        return ""
    return os.fsdecode(head[2:].split(b"\n")[0]).strip() if head.startswith(b"#!") else ""
