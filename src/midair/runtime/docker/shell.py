"""A shell as a container's first process: it ignores the stop signal, and what it has started never gets it. Pure."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from midair.model.project import Service

_SHELLS = ("sh", "bash", "dash", "ash", "zsh")
_BECOME_THE_LAST = ("bash", "zsh")  # they exec the last command of a line that is no pipeline
_PIPELINE = re.compile(r"(?<!\|)\|(?!\|)")
_PASSES_ON = re.compile(r"(^|[\s;&|(])(exec|trap)\s")


def ignores_stop(entrypoint: Sequence[str], command: Sequence[str]) -> bool:
    """Whether a shell runs a line of commands as children of its own and does not ask for the signal itself.

    The kernel gives a first process no signal that it does not ask for (pid_namespaces(7)).
    """
    words = (*entrypoint, *command)
    name = PurePosixPath(words[0]).name if words else ""
    if len(words) < 3 or name not in _SHELLS or not re.fullmatch(r"-[a-z]*c", words[1]):
        return False
    if name in _BECOME_THE_LAST and not _PIPELINE.search(words[2]):
        return False
    return _PASSES_ON.search(words[2]) is None


def stop_advice(service: Service, config: dict[str, Any]) -> tuple[str, ...]:
    """A line when the service's first process ignores the stop signal. `config` is its image's."""
    entrypoint = service.entrypoint if service.entrypoint is not None else tuple(config.get("Entrypoint") or ())
    command = service.command
    if command is None:  # with an entrypoint of the file the engine ignores the image's command
        command = tuple(config.get("Cmd") or ()) if service.entrypoint is None else ()
    if service.fields.get("init") or not ignores_stop(entrypoint, command):
        return ()
    return (
        f"{service.name}: its first process is a shell, which ignores the stop signal, so it is killed at the "
        "end of the grace period; begin the last command with exec",
    )
