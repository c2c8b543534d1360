"""Runtimes by name. A back-end is imported only when a project asks for it."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from midair.errors import PlanRefused, RuntimeTrouble
from midair.model.moment import Moment
from midair.runtime.base import Runtime

Factory = Callable[[str, Path, Callable[[], Moment]], Runtime]  # project, midair home, clock

_PLACES = {
    "process": "midair.runtime.process.runtime:ProcessRuntime",
    "docker": "midair.runtime.docker.runtime:DockerRuntime",
}


def make_runtime(name: str, project: str, home: Path, clock: Callable[[], Moment]) -> Runtime:
    """The runtime `name` for one project, not opened yet."""
    if name not in _PLACES:
        raise PlanRefused(
            f'cannot use runtime "{name}": it is not known here', hint=f"choose one of {', '.join(sorted(_PLACES))}"
        )
    module, factory = _PLACES[name].split(":")
    try:
        loaded = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("midair"):
            raise
        raise RuntimeTrouble(
            f"cannot use {name.title()}: midair was installed without it (no module {error.name})",
            hint=f"run pip install 'midair[{name}]' in the environment of the daemon, then midair daemon restart",
        ) from error
    return cast(Factory, getattr(loaded, factory))(project, home, clock)
