"""Prints the commands of a section of docs/production.md as a shell script: what a reader would type.

    commands.py SECTION [--until START | --from START]

What follows `sudo -iu USER` is typed in that user's shell.
"""

import argparse
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "production.md"
BLOCK = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(section: str) -> list[str]:
    """The lines of the section's command blocks, without their comments."""
    _, _, rest = PAGE.read_text().partition(f"\n## {section}\n")
    blocks = BLOCK.findall(rest.partition("\n## ")[0])
    return [re.sub(r"\s{2,}#.*", "", line) for line in "".join(blocks).splitlines()]


def script(lines: list[str]) -> str:
    """A script of these lines."""
    for number, line in enumerate(lines):
        if line.startswith("sudo -iu "):
            return "\n".join(
                [
                    *lines[:number],
                    f"{line} sh -ex <<'END'",
                    "cd /opt/source/examples/hello",
                    *lines[number + 1 :],
                    "END",
                ]
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the commands of a section of docs/production.md.")
    parser.add_argument("section")
    parser.add_argument("--until", help="leave out the line that begins so and what follows")
    parser.add_argument("--since", help="begin with the line that begins so")
    asked = parser.parse_args()
    lines = commands(asked.section)
    starts = [number for number, line in enumerate(lines) if line.startswith(asked.until or asked.since or "")]
    if not lines or not starts:
        parser.error(f"{PAGE.name} has no such commands")
    print(script(lines[: starts[0]] if asked.until else lines[starts[0] :]))


if __name__ == "__main__":
    main()
