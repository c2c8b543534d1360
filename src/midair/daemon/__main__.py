"""`python -m midair.daemon`. What it needs is imported late, so that a detached start returns at once."""

import argparse
import logging
import os
import sys
from pathlib import Path

from midair.client.home import default_home
from midair.client.launch import own_environment
from midair.daemon.handover import Inherited, Report
from midair.errors import DaemonTrouble, MidairError

log = logging.getLogger("midair.daemon")


def main() -> int:
    """Run a daemon to its end. Returns the exit code."""
    for name in os.environ.keys() - own_environment().keys():
        del os.environ[name]
    options = _parse()
    if options.detach:
        if os.fork():
            return 0
        _leave_terminal()
    report = Report(options.report)
    foreground = not options.detach and options.inherit is None
    try:
        from midair.daemon.serve import serve

        serve(options.home, report, options.inherit, foreground=foreground, wait=options.wait)
    except MidairError as error:
        report.failed(error)
        if not foreground:
            log.error("%s", error.message)
        print(f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        report.failed(DaemonTrouble(f"cannot start the daemon: {type(error).__name__}: {error}"))
        raise
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="midair.daemon", description="The control plane of midair.")
    parser.add_argument("--home", type=lambda text: Path(text).absolute(), default=default_home())
    parser.add_argument("--detach", action="store_true", help="go into the background")
    parser.add_argument("--report", type=int, help="descriptor to tell whether it started")
    parser.add_argument("--inherit", type=Inherited.parse, help="descriptors of a predecessor: socket,lock,go")
    parser.add_argument("--wait", action="store_true", help="begin when another daemon of this home has ended")
    return parser.parse_args()


def _leave_terminal() -> None:
    """Belong to no terminal and no session: closing either ends nothing."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main())
