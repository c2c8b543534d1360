"""The systemd unit of the daemon: its text, and what makes it unsafe to install."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

NAME = "midair.service"
SYSTEM = Path("/etc/systemd/system")
_TEXT = """\
# Written by "midair daemon install"; "midair daemon uninstall" removes it.
[Unit]
Description=midair, which updates services without downtime
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=notify
NotifyAccess=all
{user}ExecStart={command}
# Replicas and routers outlive the daemon: only its own process is stopped.
KillMode=process
Restart=always
RestartSec=1
LimitNOFILE=infinity

[Install]
WantedBy={target}
"""


class Unit(msgspec.Struct, frozen=True):
    """A unit of the system, or of one user's own systemd."""

    home: Path
    user: str  # whose daemon it is
    is_system: bool
    python: str = sys.executable

    @property
    def path(self) -> Path:
        """Where systemd looks for it."""
        if self.is_system:
            return SYSTEM / NAME
        config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(config) / "systemd" / "user" / NAME

    @property
    def text(self) -> str:
        """The file's contents."""
        command = " ".join(map(_quoted, (self.python, "-m", "midair.daemon", "--home", str(self.home), "--wait")))
        return _TEXT.format(
            user=f"User={self.user}\n" if self.is_system else "",
            command=command,
            target="multi-user.target" if self.is_system else "default.target",
        )

    def systemctl(self, *words: str) -> tuple[str, ...]:
        """The command that speaks to the systemd this unit belongs to."""
        return ("systemctl", *(() if self.is_system else ("--user",)), *words)


def writable_by_others(paths: Iterator[Path] | tuple[Path, ...], owner: int) -> Path | None:
    """The first of these paths, or of the folders above them, that a user beside root and `owner` can replace."""
    for path in paths:
        for place in (path, *path.parents):
            try:
                status = place.stat()
            except FileNotFoundError:
                continue
            mode = status.st_mode
            is_open = mode & (stat.S_IWGRP | stat.S_IWOTH) and not (mode & stat.S_ISVTX and place.is_dir())
            if is_open or status.st_uid not in (0, owner):
                return place
    return None


def _quoted(word: str) -> str:
    """As systemd reads a command line: its specifiers and variables are not meant."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if text.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum() else f'"{text}"'
