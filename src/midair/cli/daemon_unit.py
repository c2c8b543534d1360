"""`midair daemon install` and `uninstall`: the daemon starts with the machine, kept by systemd."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import click

from midair import errors
from midair.cli import out, unit
from midair.cli.session import Session, pass_session

_RUNNING = Path("/run/systemd/system")


@click.command(short_help="Start the daemon with the machine (systemd)")
@click.option("--print", "only_print", is_flag=True, help="Print the unit, and change nothing.")
@pass_session
def install(session: Session, only_print: bool) -> None:
    """Write and enable a systemd unit, so that everything comes back after a reboot.

    As root: a unit of the system, which runs as the owner of MIDAIR_HOME. As another user: a unit of that user.
    systemctl stop and restart end no replica and no router.

    \b
    Example:
      sudo MIDAIR_HOME=/srv/midair /opt/midair/bin/midair daemon install
    """
    made = _unit(session)
    if only_print:
        out.say(made.text.rstrip("\n"))
        return
    _check(made)
    try:
        made.path.parent.mkdir(parents=True, exist_ok=True)
        made.path.write_text(made.text)
    except OSError as error:
        raise errors.DaemonTrouble(
            f'cannot write the unit "{made.path}": {(error.strerror or str(error)).lower()}'
        ) from None
    _run(made.systemctl("daemon-reload"))
    _run(made.systemctl("enable", "--now", unit.NAME))
    out.say(f"wrote {made.path}; the daemon of {made.home} starts with the machine, as {made.user}")
    if not made.is_system:
        _linger(made.user)


@click.command(short_help="Remove the unit that install wrote")
@pass_session
def uninstall(session: Session) -> None:
    """Stop, disable and remove the systemd unit. Replicas and routers keep running."""
    made = _unit(session)
    if not made.path.exists():
        raise errors.NotFound(f'cannot remove the unit "{made.path}": it does not exist')
    _run(made.systemctl("disable", "--now", unit.NAME))
    made.path.unlink(missing_ok=True)
    _run(made.systemctl("daemon-reload"))
    out.say(f"removed {made.path}; replicas and routers keep running, midair daemon start takes over again")


def _unit(session: Session) -> unit.Unit:
    home = session.client().home
    owner = home.stat().st_uid if home.exists() else os.geteuid()
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return unit.Unit(home=home, user=name, is_system=os.geteuid() == 0)


def _check(made: unit.Unit) -> None:
    """Raise Refused for a machine without systemd, and for a system unit that another user could turn into theirs."""
    if not _RUNNING.is_dir():
        raise errors.Conflict(
            "cannot install the daemon: systemd does not run here",
            hint=f"start it with your init system: midair daemon start, as {made.user}, MIDAIR_HOME={made.home}",
        )
    if not made.is_system:
        return
    owner = made.home.stat().st_uid if made.home.exists() else 0
    places = (Path(made.python), Path(made.python).resolve(), Path(sys.prefix), _package(), made.home)
    loose = unit.writable_by_others(places, owner)
    if loose is not None:
        raise errors.UsageRefused(
            f'cannot install the daemon for the system: others than root and {made.user} can write to "{loose}"',
            hint=f"let only root and {made.user} write there (chmod 755), or install midair elsewhere (/opt/midair)",
        )


def _package() -> Path:
    return Path(unit.__file__).resolve().parents[1]


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise errors.DaemonTrouble(f'cannot run "{command[0]}": {(error.strerror or str(error)).lower()}') from None
    if done.returncode != 0:
        reason = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise errors.DaemonTrouble(f'cannot run "{" ".join(command)}": {reason}')


def _linger(user: str) -> None:
    """A user's own systemd starts with the machine only where lingering is allowed."""
    try:
        _run(("loginctl", "enable-linger", user))
    except errors.DaemonTrouble:
        out.note(f"it starts when {user} logs in; for a start with the machine run: sudo loginctl enable-linger {user}")
