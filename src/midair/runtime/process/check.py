"""Finds out beforehand why a service could not be started here. Starts nothing."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.project import Service
from midair.runtime.process.identity import signal_number
from midair.runtime.process.place import folder_in_code, shell_or_own
from midair.runtime.process.program import find_program, missing_interpreter
from midair.runtime.process.translate import arguments
from midair.runtime.process.user import find_user
from midair.source.reader import read_ignore


def reasons(service: Service, shell: Mapping[str, str] | None) -> tuple[str, ...]:
    """One line per reason; empty when nothing speaks against it."""
    return tuple(
        f'cannot start service "{service.name}": {reason}' for reason in _reasons(service, shell_or_own(shell))
    )


def _reasons(service: Service, shell: Mapping[str, str]) -> Iterator[str]:
    for find in (lambda: find_user(service.user), lambda: signal_number(service.stop_signal)):
        try:
            find()
        except RuntimeTrouble as trouble:
            yield trouble.message.removeprefix("cannot ")
    if service.build is not None and (reason := _unreadable(Path(service.build.context))):
        yield reason
        return
    yield from _leading_out(service)
    folder = _folder(service, shell)
    built = service.build is not None and service.build.command is not None  # may make anything
    if not built and (reason := _unreadable(folder)):
        yield reason
        return
    argv = arguments(service)
    if not argv:
        yield "it has no command"
        return
    path = service.environment.get("PATH", shell.get("PATH", os.defpath))
    if reason := _missing(argv[0], folder, path, service, built):
        yield reason


def _folder(service: Service, shell: Mapping[str, str]) -> Path:
    if service.build:
        return Path(service.build.context) / folder_in_code(service)
    return Path(shell.get("PWD") or "/") / (service.working_dir or "")


def _unreadable(folder: Path) -> str:
    if not folder.exists():
        return f'folder "{folder}" does not exist'
    if not folder.is_dir():
        return f'"{folder}" is not a folder'
    if not os.access(folder, os.R_OK | os.X_OK):
        return f'folder "{folder}" may not be read'
    return ""


def _leading_out(service: Service) -> Iterator[str]:
    """Paths that are to be links in the release, and are or lie behind links of the code."""
    for link in service.links:
        parts = Path(link.path).parts if link.is_kept else Path(link.path).parts[:-1]
        at = Path(service.build.context) if service.build else Path("/")
        for part in parts:
            at = at / part
            if at.is_symlink():
                yield f'"{link.path}" cannot be linked, since "{part}" is a link of the code, which may lead out'
                break


def _missing(program: str, folder: Path, path: str, service: Service, built: bool) -> str:
    if "/" not in program and find_program(program, folder, path) is None:
        return f'command "{program}" was not found on PATH'
    if not built and (interpreter := missing_interpreter(program, folder, path)):
        return f'command "{program}" needs the interpreter "{interpreter}", which does not exist'
    if "/" not in program:
        return ""
    place = folder / program
    if not os.path.isabs(program):
        if built:
            return ""
        if place.exists() and (source := _left_out_by(program, service)):
            return f'command "{program}" is left out of the release by {source}'
    if not place.exists():
        return f'command "{program}" does not exist'
    return "" if os.access(place, os.X_OK) and place.is_file() else f'command "{program}" may not be executed'


def _left_out_by(program: str, service: Service) -> str:
    if service.build is None or service.working_dir:
        return ""
    try:
        ignore = read_ignore(Path(service.build.context), service.build.ignore)
    except BuildTrouble:
        return ""
    parts = os.path.normpath(program).split("/")
    above = ("/".join(parts[: count + 1]) for count in range(len(parts)))
    left_out = any(ignore.matches(path, folder=path != "/".join(parts)) for path in above)
    return (ignore.source or "an ignore rule") if left_out else ""
