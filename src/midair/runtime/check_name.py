"""The name of a check's command in a reason: its program alone, since arguments may hold a password. No I/O."""

import re
from collections.abc import Sequence

_SHELLS = {"sh", "bash", "dash", "ash"}
# At the end `|| exit 1` says nothing; before the program may stand variables and `exec`.
_ENDS = re.compile(r"\s*\|\|\s*(?:exit\s+\d+|false)\s*$")
_BEGINS = re.compile(r"^(?:\w+=\S*\s+|exec\s+)*")
_SEVERAL = re.compile(r"[;&|\n`(]")


def check_name(argv: Sequence[str]) -> str:
    """A shell is named by what it runs: "curl" for `sh -c "curl -f localhost || exit 1"`; "its check" for a script."""
    if not argv:
        return "its check"
    is_script = argv[0].rpartition("/")[2] in _SHELLS and len(argv) > 2 and argv[1].startswith("-") and "c" in argv[1]
    if not is_script:
        return f'"{argv[0]}"'
    script = _BEGINS.sub("", _ENDS.sub("", argv[2].strip()))
    word = script.split(maxsplit=1)[0] if script else ""
    return "its check" if not word or _SEVERAL.search(script) else f'"{word}"'


def name_of_test(test: Sequence[str]) -> str:
    """The same for a `healthcheck.test`."""
    if test and test[0] == "CMD-SHELL":
        return check_name(("/bin/sh", "-c", " ".join(test[1:])))
    return check_name(test[1:] if test and test[0] == "CMD" else test)
