"""Forks. The process is a child only as long as this daemon lives; nothing may depend on that."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from midair.runtime.process import logger
from midair.runtime.process.identity import Identity, boot, identity_of, stat_of
from midair.runtime.process.user import User

_OF_PYTHON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # without which some interpreters do not start


def start_logger(log: Path) -> tuple[Identity, int]:
    """Start the process that writes a log. Returns it and the end of the pipe that is written to. Raises OSError."""
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", logger.__file__, str(log)),
            cwd="/",
            env={name: os.environ[name] for name in _OF_PYTHON if name in os.environ},
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    process.returncode = 0  # reaped by whoever waits for its end
    return identity_of_child(process.pid), writer


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
    return identity_of_child(process.pid)


def identity_of_child(pid: int) -> Identity:
    """The identity of a process that this one has just started, also when it has ended already."""
    identity = identity_of(pid)
    if identity is not None:
        return identity
    stat = stat_of(pid)  # it has ended already, but it is not reaped: the pid is still its own
    return Identity(pid, stat.started if stat else "", boot())
