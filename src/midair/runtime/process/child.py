"""Forks. The process is a child only as long as this daemon lives; nothing may depend on that."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from midair.runtime.process.identity import Identity, boot, identity_of, stat_of
from midair.runtime.process.user import User


def start_child(
    argv: tuple[str, ...], environment: Mapping[str, str], folder: Path, user: User | None, output: int
) -> Identity:
    """Start a process in a session of its own, without input. Raises OSError or ValueError."""
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env={**environment, **(user.environment if user else {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    process.returncode = 0  # nobody waits through this object: a `Watch` reaps, or a later daemon only looks
    identity = identity_of(process.pid)
    if identity is not None:
        return identity
    stat = stat_of(process.pid)  # it has ended already, but it is not reaped: the pid is still its own
    return Identity(process.pid, stat.started if stat else "", boot())
