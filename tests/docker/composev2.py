"""Docker Compose v2: the machine's own, else Debian's package from a newer suite, fetched through apt."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
_SUITE = "trixie"  # the first one whose package is version 2
_SOURCES = Path("/etc/apt/sources.list.d")


def command():
    """The path of a docker-compose that is version 2. Skips (in CI: fails) where none can be had."""
    kept = Path(sys.prefix) / "docker-compose"
    own = shutil.which("docker-compose")
    if own and _is_second(own):
        return own
    try:
        if not kept.exists():
            _fetch(kept)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = f"Docker Compose v2 cannot be had: {error}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return str(kept)


def _is_second(program):
    done = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip().lstrip("v").startswith(("2.", "5."))


def _fetch(target):
    """Download the package with lists of its own, so that the machine's package lists stay as they are."""
    folder = Path(sys.prefix) / "docker-compose.d"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / part).mkdir(parents=True)
    (folder / "parts" / "newer.sources").write_text(_newer())
    settings = {
        "Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": folder / "parts",
        "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache", "APT::Sandbox::User": "root",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    for words in (["update", "-q"], ["download", "-q", "docker-compose"]):
        subprocess.run(["apt-get", *options, *words], cwd=folder, check=True, capture_output=True, timeout=100)
    package = next(folder.glob("docker-compose_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, folder / "files"], check=True, timeout=60)
    (folder / "files" / _PLUGIN).rename(target)
    shutil.rmtree(folder)


def _newer():
    """The machine's own sources of this Debian release, pointed at the newer one."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    mine = release.get("VERSION_CODENAME", "?").strip('"')
    for file in sorted(_SOURCES.glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            fields = [line for line in stanza.splitlines() if line and not line.startswith("#")]
            for number, line in enumerate(fields):
                if line.startswith("Suites:") and mine in line.split():
                    fields[number] = f"Suites: {_SUITE}"
                    return "\n".join(fields) + "\n"
    for file in (Path("/etc/apt/sources.list"), *sorted(_SOURCES.glob("*.list"))):
        for line in file.read_text().splitlines() if file.exists() else ():
            words = line.split()
            if words[:1] == ["deb"] and mine in words:
                return f"Types: deb\nURIs: {words[words.index(mine) - 1]}\nSuites: {_SUITE}\nComponents: main\n"
    raise ValueError("apt has no source of this release")
