"""`midair daemon …`: the control plane itself."""

import time
from collections.abc import Iterator
from pathlib import Path

import click

from midair import __version__, errors
from midair.cli import daemon_unit, out, when
from midair.cli.group import Group
from midair.cli.session import Session, json_option, pass_session
from midair.view.daemon import BackupView, Health

LOOK_S = 0.2


@click.group(cls=Group, short_help="Look after the control plane")
def command() -> None:
    """Look after the control plane. Replicas and routers go on without it."""


command.add_command(daemon_unit.install)
command.add_command(daemon_unit.uninstall)


@command.command(short_help="Show whether it runs")
@json_option
@pass_session
def status(session: Session, as_json: bool) -> int:
    """Show whether it runs."""
    try:
        health = session.client().health()
    except errors.DaemonTrouble:
        if as_json:
            out.json_line(None)
            return 1
        raise
    _show(health, as_json=as_json)
    return 1 if health.problem else 0


@command.command(short_help="Start it in the background")
@json_option
@pass_session
def start(session: Session, as_json: bool) -> None:
    """Start it in the background, if it does not run."""
    _show(session.client().ensure_daemon(), as_json=as_json)


@command.command(short_help="End it; replicas and routers go on")
@json_option
@pass_session
def stop(session: Session, as_json: bool) -> None:
    """End it. Replicas and routers go on; nothing looks after them until it is started again."""
    ended = session.client().daemon_stop()
    if as_json:
        out.json_line(None)
    elif not ended:
        out.note("another daemon took over at once: stop a unit of systemd with systemctl stop midair")
    else:
        out.say("stopped; replicas and routers go on, midair daemon start takes over again")


@command.command(short_help="Replace its process; nothing is lost")
@json_option
@pass_session
def restart(session: Session, as_json: bool) -> None:
    """Put a new process in its place: this midair, with the interpreter that runs it. Nothing is lost.

    After an upgrade, also one into another virtual environment, restart it with the new midair.
    """
    _show(session.client().daemon_restart(), as_json=as_json)


@command.command(name="set", short_help="Change its settings")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE…")
@json_option
@pass_session
def set_(session: Session, settings: tuple[str, ...], as_json: bool) -> None:
    """Change settings of the daemon: in force at once, kept in its home, shown by midair daemon status.

    \b
    flags.listen   HOST:PORT for OFREP, event streams and the manifest
    flags.sync     HOST:PORT for flagd.sync.v1
    flags.tokens   file with lines TOKEN PROJECT; needed for an address that others than this machine reach

    KEY= without a value is the default.

    \b
    Example:
      midair daemon set flags.listen=127.0.0.1:8016
    """
    pairs = [setting.partition("=") for setting in settings]
    for key, sign, _ in pairs:
        if not sign:
            raise errors.UsageRefused(f'cannot set "{key}": it has no value', hint=f"write {key}=VALUE")
    wanted = {key: value for key, _, value in pairs}
    if path := wanted.get("flags.tokens"):
        wanted["flags.tokens"] = str(Path(path).absolute())
    _show(session.running().daemon_set(wanted), as_json=as_json)


@command.command(short_help="Show its own log")
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they are written.")
@click.option(
    "-n",
    "--tail",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="LINES",
    help="Only so many lines.",
)
@pass_session
def logs(session: Session, follow: bool, tail: int) -> None:
    """Show its own log."""
    path = session.client().home / "daemon.log"
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        raise errors.NotFound(f'cannot show the log: no "{path}"', hint="start it with midair daemon start") from None
    for line in lines[-tail:] if tail else []:
        out.say(line)
    if follow:
        for line in _grow(path):
            out.say(line)


def _grow(path: Path) -> Iterator[str]:
    with path.open(errors="replace") as file:
        file.seek(0, 2)
        while True:
            if line := file.readline():
                yield line.rstrip("\n")
            else:
                time.sleep(LOOK_S)


@command.command(short_help="Write the whole state into a file")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_session
def backup(session: Session, file: Path, as_json: bool) -> None:
    """Write the whole state, old code included, into FILE.

    \b
    Example:
      midair daemon backup midair.backup
    """
    _told("wrote", session.client().backup(file), as_json=as_json)


@command.command(short_help="Put the state of a backup back")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@pass_session
def restore(session: Session, file: Path, as_json: bool) -> None:
    """Put the state of a backup in the place of the present one, and make what runs equal to it."""
    if not file.is_file():
        raise errors.NotFound(f'cannot restore "{file}": no such file', hint="name one that midair daemon backup wrote")
    client = session.running()
    _told("read", client.restore(file), as_json=as_json)


def _told(verb: str, backup: BackupView, *, as_json: bool) -> None:
    if as_json:
        out.json_line(backup)
        return
    projects = out.count(len(backup.projects), "project")
    out.say(f"{verb} {backup.path}: {_size(backup.bytes)}, {projects} {' '.join(backup.projects)}".rstrip())


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _show(health: Health, *, as_json: bool) -> None:
    if as_json:
        out.json_line(health)
        return
    out.say(
        f"midair {health.version} runs as pid {health.pid} for {when.span(time.time() - health.started_at)}, "
        f"{out.count(health.projects, 'project')}, state in {health.home}, by {health.python}"
    )
    for key, value in sorted(health.settings.items()):
        if value:
            out.say(f"{key}={value}")
    if health.version != __version__:
        out.note(f"hint: this is midair {__version__}; midair daemon restart puts it in its place")
    if health.problem:
        out.fail(health.problem, "see midair doctor")
