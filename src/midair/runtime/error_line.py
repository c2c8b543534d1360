"""Finds the line of a program's output that names why it ended. No I/O.

The last line is often something else: a closing brace, a frame of the stack, the log line of a server that shuts down.
"""

import re

LONGEST = 200  # characters of a line that are quoted
_TRACEBACK = "Traceback (most recent call last):"
# Python, Node, Java, Go, Rust, C++ and shells, each as it begins the line that names an error.
_NAMES_IT = re.compile(
    r"(?:[\w.$]*(?:Error|Exception|Interrupt)(?: \[\w+\])?(?::|$)|Uncaught |Caused by: |Exception in thread |panic: "
    r"|fatal error: |thread '.*' panicked|terminate called|FATAL: |PANIC: )"
)
_SPEAKS_OF_IT = re.compile(r"\b(?:FATAL|CRITICAL|PANIC|ERROR|EMERG|fatal|panic|emerg|[Ee]rror)\b")
_SOUNDS_LIKE_IT = re.compile(
    r"\b(?:cannot|can't|could not|failed|denied|no such|not found|refused|invalid|missing)\b", re.I
)
# The log of a server that is well: levels below a warning, and requests that were answered.
_IS_ORDINARY = re.compile(r"\b(?:INFO|DEBUG|TRACE|NOTICE|info|debug|notice)\b|HTTP/[\d.]+\"?\s+[123]\d\d\b")


def error_line(text: str) -> str:
    """The line that names the error, shortened; without one, the last that may. "" when there is none.

    No line at all is better than one that says that all is well."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    of_tracebacks = _after_tracebacks(lines)
    named = [number for number, line in enumerate(lines) if number in of_tracebacks or _NAMES_IT.match(line)]
    spoken = [number for number, line in enumerate(lines) if _SPEAKS_OF_IT.search(line)]
    alike = [number for number, line in enumerate(lines) if _SOUNDS_LIKE_IT.search(line)]
    others = [number for number, line in enumerate(lines) if not _IS_ORDINARY.search(line)]
    best = named or spoken or alike or others
    if not best:
        return ""
    return lines[best[-1]].strip()[:LONGEST]


def _after_tracebacks(lines: list[str]) -> set[int]:
    """Numbers of the lines that end a traceback of Python: the first that is not indented after each."""
    found = set()
    inside = False
    for number, line in enumerate(lines):
        if line.lstrip().startswith(_TRACEBACK):
            inside = True
        elif inside and not line[0].isspace():
            found.add(number)
            inside = False
    return found
