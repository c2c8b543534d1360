"""What a shell may complete: names of services, flags, changes, projects. Starts nothing, and waits for nobody long."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from midair.cli.session import Session
    from midair.view.status import ServiceView

WAIT_S = 1.0  # for a daemon that is busy; somebody waits at a prompt
Names = Iterable[tuple[str, str]]  # name and what it is
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(names: Callable[[click.Context, "Session", str], Names]) -> Completer:
    """Whatever goes wrong, nothing is completed: an error would be printed into the line that is typed."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from midair.cli.session import Session

        session = ctx.find_object(Session) or Session()
        try:
            with _at_most(WAIT_S):
                given = ctx.params.get(parameter.name or "") or ()
                return [
                    CompletionItem(name, help=text or None)
                    for name, text in names(ctx, session, incomplete)
                    if name.startswith(incomplete) and name not in given
                ]
        except Exception:
            return []

    return complete


@_completer
def services(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Services that run."""
    return [(service.name, service.phase) for service in _status(session)]


@_completer
def file_services(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Services of the file, which may not run yet."""
    return [(name, "") for name in session.load().services]


@_completer
def replica_counts(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """`web=`, with the present number."""
    return [(f"{service.name}=", f"{service.wanted} now") for service in _status(session)]


@_completer
def changes(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Changes on record, the newest first."""
    client = session.client()
    return [(str(change.id), change.summary) for change in client.history(session.project(client))]


@_completer
def undoable(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Changes that can be undone, the newest first."""
    client = session.client()
    return [(str(each.id), each.summary) for each in client.history(session.project(client)) if each.can_undo]


@_completer
def projects(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Projects on record."""
    return [(project.name, project.folder) for project in session.client().projects()]


@_completer
def flags(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Keys of flags."""
    client = session.client()
    return [(flag.key, flag.told) for flag in client.flags(session.project(client)).flags]


@_completer
def variants(ctx: click.Context, session: "Session", incomplete: str) -> Names:
    """Variants of the flag that stands before."""
    client = session.client()
    known = client.flags(session.project(client)).flags
    return [(name, "") for flag in known if flag.key == ctx.params.get("key") for name in flag.definition["variants"]]


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files of the folder, which the shell knows best."""
    return [CompletionItem(incomplete, type="file")]


def _status(session: "Session") -> "tuple[ServiceView, ...]":
    client = session.client()
    return client.status(session.project(client)).services


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
