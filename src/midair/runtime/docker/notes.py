"""Containers about which something is left to do, on file: a daemon that comes after this one goes on with it."""

import json
from contextlib import suppress
from pathlib import Path

from midair.errors import RuntimeTrouble


class Notes:
    """A set of container ids."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._known: set[str] = {str(one) for one in json.loads(file.read_text())}
        except (OSError, ValueError, TypeError):
            self._known = set()

    def __contains__(self, container: str) -> bool:
        return container in self._known

    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return tuple(sorted(self._known))

    def add(self, container: str) -> None:
        """Raises RuntimeTrouble when it cannot be written down."""
        self._write(self._known | {container})

    def discard(self, container: str) -> None:
        """If it cannot be written down, the next daemon does what was left to do once more."""
        if container in self._known:
            with suppress(RuntimeTrouble):
                self._write(self._known - {container})
            self._known = self._known - {container}

    def _write(self, wanted: set[str]) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps(sorted(wanted)))
            fresh.replace(self._file)
        except OSError as error:
            raise RuntimeTrouble(f'cannot write "{self._file}": {(error.strerror or str(error)).lower()}') from error
        self._known = wanted
