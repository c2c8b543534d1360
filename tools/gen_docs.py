"""Writes the generated parts of the pages in docs/ again; `--check` only tells which of them are stale.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; what is around it is written by hand.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from midair.plan.table import GROUPS, RUNTIMES, Row

DOCS = Path(__file__).resolve().parent.parent / "docs"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compose_fields() -> str:
    """Every field of a Compose service with its class on each runtime, one section for each group."""
    parts = []
    for group in GROUPS:
        rows = ([f"`{row.path}`", *(cell(row.on(runtime)) for runtime in RUNTIMES), notes(row)] for row in group.rows)
        parts.append(f"### {group.title}\n\n{group.text}\n\n{table(('field', *RUNTIMES, 'notes'), rows)}")
    return "\n\n".join(parts)


def cell(name: str) -> str:
    """A class as the page shows it."""
    return "no effect" if name == "named" else name


def notes(row: Row) -> str:
    """The causes of a row: the general one, then those of single runtimes."""
    own = [f"{runtime}: {text}" for runtime, text in row.notes.items()]
    if len(set(row.notes.values())) == 1 and len(own) == len(RUNTIMES):
        return next(iter(row.notes.values()))
    general = (
        [row.cause] if any(row.on(runtime) != "named" and runtime not in row.notes for runtime in RUNTIMES) else []
    )
    return "; ".join(general + own)


PARTS: dict[str, Callable[[], str]] = {"compose-fields": compose_fields}
_PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """A page with its generated parts written again."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", text)


def main() -> int:
    """Write or check every page."""
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text()
        after = renewed(before)
        if before != after:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(after)
    for name in stale:
        print(f"{'stale' if '--check' in sys.argv else 'written'}: docs/{name}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
