"""Takes the folder that the state is kept in: made for this user alone, never another user's, never anybody's else."""

import os
import stat
from pathlib import Path

from midair.client.home import LOCK
from midair.errors import DaemonTrouble
from midair.store.store import FILE

MODE = 0o700
PASSED_THROUGH = 0o711  # so that replicas of other users get to their releases (decision 0039)


def take_home(home: Path) -> None:
    """Make the folder, or see to it that nobody else can look into it."""
    try:
        home.mkdir(mode=MODE, parents=True, exist_ok=True)
        _close(home)
    except OSError as error:
        raise DaemonTrouble(f'cannot use the folder "{home}": {error.strerror}') from error


def _close(home: Path) -> None:
    found = home.stat()
    if found.st_uid != os.geteuid():
        raise DaemonTrouble(
            f'cannot use the folder "{home}": it belongs to another user',
            hint="set MIDAIR_HOME to a folder of your own",
        )
    if stat.S_IMODE(found.st_mode) in (MODE, PASSED_THROUGH):
        return
    names = {path.name for path in home.iterdir()}
    if names and not names & {LOCK, FILE}:  # /srv, or a home: others may need it as it is
        raise DaemonTrouble(
            f'cannot use the folder "{home}": others can look into it, and there is more in it than midair',
            hint="set MIDAIR_HOME to a new folder",
        )
    home.chmod(MODE)
