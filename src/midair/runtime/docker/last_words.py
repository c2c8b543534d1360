"""What containers printed last, kept when they are removed: that of a failed replica is what people look for."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from midair.model.ids import ReplicaId, service_of

_MOST = 64 * 1024  # bytes of each
_KEPT = 20  # containers of a project
_END = "-json.log"  # the engine's own format and ending


class LastWords:
    """Files in a folder, one for each replica."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, replica: ReplicaId, container: dict[str, Any]) -> None:
        """Copy the end of a container's log, where this user may read it; else there is nothing to keep."""
        with suppress(OSError), Path(container.get("LogPath") or "").open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _MOST))
            text = log.read()
            lines = text if size <= _MOST else text[text.find(b"\n") + 1 :]
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file(replica).write_bytes(lines)
            for old in sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)[:-_KEPT]:
                old.unlink()

    def files(self, service: str) -> list[tuple[str, str]]:
        """(replica, path) of what is kept of a service, the oldest first."""
        with suppress(OSError):
            found = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)
            names = [(file.name.removesuffix(_END).replace("+", "/"), str(file)) for file in found]
            return [(name, path) for name, path in names if service_of(ReplicaId(name)) == service]
        return []

    def _file(self, replica: ReplicaId) -> Path:
        return self._folder / (replica.replace("/", "+") + _END)
