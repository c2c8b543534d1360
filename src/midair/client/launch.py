"""Starts the daemon in the background and waits until it answers."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from midair import errors
from midair.client.transport import error_of
from midair.view.error import ErrorAnswer

OF_A_REPLICA = ("PORT", "MIDAIR_SERVICE", "MIDAIR_REPLICA", "MIDAIR_REVISION", "MIDAIR_FLAGS", "MIDAIR_MARK")


def own_environment() -> dict[str, str]:
    """The environment without what makes a process part of the replica that it was started from.

    A daemon outlives that replica, and so do its routers: with the replica's mark they would be killed with it.
    """
    return {name: value for name, value in os.environ.items() if name not in OF_A_REPLICA}


def launch(home: Path) -> None:
    """Start a daemon for `home` that outlives the caller. One that runs already is as good.

    Raises what kept it from starting.
    """
    read_end, write_end = os.pipe()
    try:
        command = [sys.executable, "-m", "midair.daemon", "--home", str(home), "--detach", "--report", str(write_end)]
        starter = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(write_end,),
            cwd="/",
            env=own_environment(),
            start_new_session=True,
        )
        os.close(write_end)
        write_end = -1
        _, complaint = starter.communicate()
        with open(read_end, "rb") as report:
            read_end = -1
            said = report.read()
    finally:
        for descriptor in (read_end, write_end):
            if descriptor >= 0:
                os.close(descriptor)
    if said.strip() == b"ready":
        return
    try:
        raise error_of(msgspec.json.decode(said, type=ErrorAnswer).error)
    except msgspec.DecodeError:
        last = (complaint.decode(errors="replace").strip() or "it ended without a word").splitlines()[-1]
        raise errors.DaemonTrouble(f"cannot start the daemon: {last}", hint=f"look into {home}/daemon.log") from None
