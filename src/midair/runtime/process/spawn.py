"""Starts a process in its own session, so that nobody can start it twice and nobody can lose it.

The process writes its own pid file, which must not exist yet, and only then becomes the command. So a daemon that
dies in the middle leaves either no process or one that its successor finds; and of two starts of the same attempt,
one ends before it has done anything.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from midair.errors import RuntimeTrouble
from midair.runtime.process.child import start_child, start_logger
from midair.runtime.process.identity import Identity
from midair.runtime.process.user import BECOME, User

NOT_OURS = 125  # exit code of a wrapper that could not write its pid file

_WRAPPER = f"""set -C; p=$1; shift
read -r s </proc/$$/stat
read -r b </proc/sys/kernel/random/boot_id
(umask 077; printf '%s\\n' "$$" "$s" "$b" >"$p") 2>/dev/null || exit {NOT_OURS}
exec "$@"
"""
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Spawn(msgspec.Struct, frozen=True):
    """A process to start."""

    name: str  # for error texts
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    user: User | None = None


def spawn(start: Spawn, pid_file: Path, log: Path) -> tuple[Identity, Identity]:
    """Start the process and the one that writes its log, and return at once. Children of this daemon while it lives.

    Raises RuntimeTrouble when it could not even be tried; a missing command shows as exit code 127.
    """
    if not start.folder.is_dir():
        raise RuntimeTrouble(f'cannot start {start.name}: folder "{start.folder}" does not exist')
    try:
        pid_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        logger, output = start_logger(log)
    except OSError as error:
        raise RuntimeTrouble(f"cannot start {start.name}: {error.strerror}: {error.filename}") from error
    try:
        return _start(start, pid_file, output), logger
    except (OSError, ValueError) as error:
        raise RuntimeTrouble(f"cannot start {start.name}: {_reason(error)}") from error
    finally:
        os.close(output)


def has_become(command_line: bytes) -> bool:
    """Has a process with this /proc/<pid>/cmdline become its command?"""
    words = command_line.split(b"\0")
    return any(words) and _WRAPPER.encode() not in words and BECOME.encode() not in words


def _start(start: Spawn, pid_file: Path, output: int) -> Identity:
    become = start.user.prefix if start.user else ()
    words = (*become, *_odd(start.environment), *start.argv)
    argv = ("/bin/sh", "-c", _WRAPPER, "midair", str(pid_file), *words)
    return start_child(argv, start.environment, start.folder, start.user, output)


def _odd(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Words that set the variables a shell would drop, because of names like `discovery.type`."""
    odd = tuple(f"{name}={value}" for name, value in environment.items() if not _SHELL_NAME.fullmatch(name))
    return ("env", *odd) if odd else ()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    return str(error)
