"""Runs the console blocks of pages as written, each page in one shell, the way a newcomer would: run_readme.py PAGE…

Exits 1 where a line fails, or prints something else than the page shows.

Meant for a fresh machine: it installs into the home of whoever runs it, and stops what it has started.
"""

import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def script(page: str) -> str:
    """All commands of a page; a line that the page shows as output becomes a check of its beginning."""
    lines = ["set -e"]
    for line in "".join(BLOCK.findall(page)).splitlines():
        command = line.removeprefix("$ ")
        if command == line:
            start = quoted(line.split("/")[0])
            lines.append(f'case "$shown" in {start}*) ;; *) echo "the page shows: "{quoted(line)}; exit 1;; esac')
        elif command.startswith(("cd ", "export ")):
            lines += [f"echo {quoted(line)}", command]
        else:
            lines += [f"echo {quoted(line)}", f"shown=$({command}\n)", 'printf "%s\\n" "$shown"']
    return "\n".join([*lines, "midair daemon stop"])


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def main(pages: list[str]) -> int:
    for page in map(Path, pages):
        done = subprocess.run(["sh", "-c", script(page.read_text())], cwd=page.parent)
        print(f"{page}: {'a command failed' if done.returncode else 'every command works as written'}", flush=True)
        if done.returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
