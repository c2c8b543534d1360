"""What the processes of a replica are given: arguments, environment, folder and user."""

import os
from collections.abc import Mapping
from pathlib import Path

from midair.errors import RuntimeTrouble
from midair.model.command import Command as Wanted
from midair.model.moment import Span
from midair.model.project import Hook, Revision, Service
from midair.runtime.process import translate
from midair.runtime.process.command import Command
from midair.runtime.process.layout import Layout
from midair.runtime.process.program import missing_interpreter
from midair.runtime.process.record import Record
from midair.runtime.process.spawn import Spawn
from midair.runtime.process.user import User, find_user

# What a replica inherits when it is not known which shell asked for it.
_ORDINARY = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")


def folder_of(layout: Layout, revision: Revision) -> Path:
    """The working directory of a replica."""
    if not revision.release:
        return Path(revision.shell.get("PWD") or "/") / (revision.service.working_dir or "")
    return layout.release(revision.release) / folder_in_code(revision.service)


def folder_in_code(service: Service) -> str:
    """The working directory of a service with a release, relative to that or absolute.

    An absolute one that this machine does not have is where an image would have the code: the release.
    """
    folder = service.working_dir or ""
    return "" if os.path.isabs(folder) and not os.path.isdir(folder) else folder


def shell_or_own(shell: Mapping[str, str] | None) -> Mapping[str, str]:
    """The environment of the shell that asked; without one, the ordinary part of this process's own."""
    if shell:
        return shell
    return {name: value for name, value in os.environ.items() if name in _ORDINARY or name.startswith("LC_")}


def given(known: Record) -> dict[str, str]:
    """The variables that midair sets for a replica."""
    return translate.given(known.id, known.revision, known.port)


def process_of(layout: Layout, known: Record, mark: str) -> Spawn:
    """The replica's own process. Raises RuntimeTrouble when there is no such user."""
    service = known.revision.service
    user = find_user(service.user)
    return Spawn(
        name=f'replica "{known.id}"',
        argv=translate.substituted(translate.arguments(service), given(known)),
        environment={**_flags(layout, user), **_environment(known, mark)},
        folder=folder_of(layout, known.revision),
        user=user,
    )


def command_of(layout: Layout, known: Record, wanted: Wanted, mark: str, *, alone: bool) -> Spawn:
    """A command beside the replica, or `alone` in its place. Raises RuntimeTrouble when there is no such user."""
    service = known.revision.service
    user = find_user(wanted.user or service.user)
    words = wanted.words or translate.substituted(service.command or (), given(known))
    first = translate.substituted(service.entrypoint or (), given(known)) if alone else ()
    if not first + words:
        raise RuntimeTrouble(f'cannot run service "{service.name}": it has no command')
    environment = {**_flags(layout, user), **_environment(known, mark), **wanted.environment, translate.MARK: mark}
    folder = folder_of(layout, known.revision) / wanted.working_dir
    return Spawn(f"the command in {service.name}", (*first, *words), environment, folder, user)


def missing_interpreter_of(layout: Layout, known: Record) -> str:
    """What the script that a replica's command names needs and is missing; "" when it is something else."""
    argv = translate.substituted(translate.arguments(known.revision.service), given(known))
    path = _environment(known, "").get("PATH", os.defpath)
    return missing_interpreter(argv[0], folder_of(layout, known.revision), path) if argv else ""


def probe_of(layout: Layout, known: Record, mark: str) -> Command:
    """A probe of the replica, whose arguments and timeout are not known yet."""
    user = find_user(known.revision.service.user)
    return Command((), _environment(known, mark), folder_of(layout, known.revision), 0.0, user)


def hook_of(layout: Layout, known: Record, hook: Hook, timeout_s: Span, mark: str) -> Command:
    """A hook of the replica."""
    return Command(
        argv=translate.substituted(hook.command, given(known)),
        environment={**_environment(known, mark), **hook.environment},
        folder=folder_of(layout, known.revision) / (hook.working_dir or ""),
        timeout_s=timeout_s,
        user=find_user(hook.user or known.revision.service.user),
    )


def _flags(layout: Layout, user: User | None) -> dict[str, str]:
    if user is not None:
        layout.let_through()
    return {"MIDAIR_FLAGS": f"unix:{layout.flags(of_others=user is not None)}#{layout.project}"}


def _environment(known: Record, mark: str) -> dict[str, str]:
    shell = shell_or_own(known.revision.shell)
    return translate.environment(shell, known.revision.service, given(known), mark)
