"""Runs the README's console blocks as written, in one shell, the way a newcomer would. Exits 1 where a line fails.

Meant for a fresh machine: it installs into the home of whoever runs it, and stops what it has started.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
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


def main() -> int:
    text = script((ROOT / "README.md").read_text())
    done = subprocess.run(["sh", "-c", text], cwd=ROOT)
    print("README: every command works as written" if done.returncode == 0 else "README: a command failed")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
