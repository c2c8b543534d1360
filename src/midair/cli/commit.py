"""The git commit of a folder, for the history."""

import os
import subprocess

WAIT_S = 1.0  # a large working tree on a slow disk is not worth more


def commit_of(folder: str) -> str:
    """Short id of the commit, with "-dirty" when tracked files differ. Empty without git or a checkout."""
    # Neither hooks of the checkout nor its file system monitor are run, and its index is not written to.
    command = ("git", "-c", "core.fsmonitor=false", "-C", folder, "describe", "--always", "--dirty", "--exclude=*")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=WAIT_S, env=environment | {"GIT_OPTIONAL_LOCKS": "0"}
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
