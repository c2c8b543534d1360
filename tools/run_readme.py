"""Runs the console blocks of pages as written, the way a newcomer would.

    run_readme.py PAGE…                        each page in one shell, in the folder of the page
    run_readme.py --recipes PAGE [--seed N]    each recipe in a folder of its own; with a seed, one that it chooses

A recipe is a section with commands and files: a line `name`: and a block. The folder has those files and no others.
A recipe is left out where a program that it needs is missing.
Exits 1 where a line fails, or prints something else than the page shows.

Meant for a fresh machine: it installs into the home of whoever runs it, and stops what it has started.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDS = {"npm": "npm install", "nginx": "nginx -"}  # programs that not every machine has, and what shows the need


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


def run(title: str, text: str, folder: Path) -> bool:
    """Whether every command of the text works."""
    done = subprocess.run(["sh", "-c", script(text)], cwd=folder)
    print(f"{title}: {'a command failed' if done.returncode else 'every command works as written'}", flush=True)
    return done.returncode == 0


def recipes(page: str) -> dict[str, str]:
    """The sections of a page that have files and commands, by title."""
    titled = (section.partition("\n") for section in page.split("\n## ")[1:])
    return {title: text for title, _, text in titled if BLOCK.search(text) and FILE.search(text)}


def cook(title: str, text: str) -> bool:
    """Run a recipe in a folder that has its files and nothing else."""
    missing = [name for name, sign in NEEDS.items() if sign in text and shutil.which(name) is None]
    if missing:
        print(f"{title}: left out, {', '.join(missing)} is missing", flush=True)
        return True
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILE.findall(text):
            (Path(folder) / name).write_text(content)
        return run(title, text, Path(folder))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the console blocks of pages as written.")
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--recipes", type=Path, metavar="PAGE")
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    if asked.recipes is None:
        return 0 if all(run(str(page), page.read_text(), page.parent) for page in asked.pages) else 1
    found = recipes(asked.recipes.read_text())
    if asked.seed is not None:
        chosen = random.Random(asked.seed).choice(sorted(found))
        print(f"seed {asked.seed}: {chosen}", flush=True)
        found = {chosen: found[chosen]}
    results = [cook(title, text) for title, text in found.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
