"""What containers printed last, kept when they are removed: that of a failed replica is what people look for."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from midair.model.ids import ReplicaId, service_of
from midair.runtime.entry import Entry

LINES = 500  # of each
_KEPT = 20  # containers of a project
_END = "-json.log"  # the engine's own format and ending


class LastWords:
    """Files in a folder, one for each replica."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, replica: ReplicaId, entries: Sequence[Entry]) -> None:
        """Write the end of a container's log, in the engine's own format."""
        if not entries:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file(replica).write_bytes(b"".join(_line(entry) for entry in entries))
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


def _line(entry: Entry) -> bytes:
    time = datetime.fromtimestamp(entry.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if entry.time is not None else ""
    return msgspec.json.encode({"log": entry.text + "\n", "stream": entry.stream, "time": time}) + b"\n"
