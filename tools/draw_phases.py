"""Draws the phases of a rollout from the table of moves, into docs/rollout.md; `--check` only tells if it is stale."""

import re
import sys
from pathlib import Path

from midair.rollout import phase

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rollout.md"
_DRAWN = re.compile(r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
OF_EVERY_PHASE = "superseded"  # drawn once, not from each phase


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending"]
    for before, moves in phase.MOVES.items():
        lines += [f"    {before} --> {after}" for after in moves if after != OF_EVERY_PHASE]
    ends = sorted(phase.STEADY)
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join([*lines, "```"])


def theory() -> str:
    """The theory of operation, as it stands above the table."""
    text = (phase.__doc__ or "").split("-------------------\n", 1)[1].strip()
    parts = [part.strip("\n") for part in text.split("\n\n")]
    return "\n\n".join(f"```text\n{part}\n```" if part.startswith("    ") else part for part in parts) + "\n"


PARTS = {"diagram": diagram, "theory": theory}


def renewed(text: str) -> str:
    """The page with its drawn parts drawn again."""
    return _DRAWN.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


def main() -> int:
    """Draw or check."""
    before = PAGE.read_text()
    after = renewed(before)
    if before == after:
        return 0
    if "--check" in sys.argv:
        print("stale: docs/rollout.md, run python tools/draw_phases.py")
        return 1
    PAGE.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
