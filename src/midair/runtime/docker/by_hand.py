"""What somebody else has stopped or removed on purpose stays so until `midair up` or `docker start`. On file.

The engine sends "kill" with the stop signal, and "stop", for a container that somebody stops, and only "die" for one
that crashes; SIGKILL by hand counts as a crash. What midair stops itself has no restart policy any more by then.
"""

import json
import signal
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId
from midair.runtime.docker.container import has_ended, is_foreign, replica_of, stop_signal_of
from midair.runtime.docker.notes import Notes


class ByHand:
    """Notes about the containers of one project."""

    def __init__(self, folder: Path) -> None:
        self._stopped = Notes(folder / "stopped.json")  # a container and when it had been started
        self._file = folder / "removed.json"
        self._removed: dict[ReplicaId, int] = _read(self._file)  # exit codes

    def hear(self, event: dict[str, Any], container: dict[str, Any] | None) -> None:
        """Take in an event about a container as it is known."""
        if container is not None and _ends(event, container) and _happened_since(event, _started_at(container)):
            with suppress(RuntimeTrouble):  # without room for it midair starts the container again
                self._stopped.add(_key(container))

    def has_stopped(self, container: dict[str, Any]) -> bool:
        """Whether it has ended because somebody stopped it, who is not midair."""
        policy = container["HostConfig"].get("RestartPolicy") or {}
        is_ours = policy.get("Name") in ("no", "", None)
        return has_ended(container) and not is_ours and _key(container) in self._stopped

    def gone(self, container: dict[str, Any]) -> None:
        """A container is gone that midair did not remove. One that was running until then is made again."""
        replica, code = replica_of(container), int(container["State"].get("ExitCode") or 0)
        was_done = container["State"]["Status"] == "exited" and code == 0
        if replica is not None and not is_foreign(container) and (was_done or self.has_stopped(container)):
            self._write({**self._removed, replica: code})

    def removed(self) -> dict[ReplicaId, int]:
        """Replicas whose container somebody removed after its end, with their exit codes."""
        return self._removed

    def forget(self, replica: ReplicaId) -> None:
        """It is started again, or nobody wants it any more."""
        if replica in self._removed:
            self._write({one: code for one, code in self._removed.items() if one != replica})

    def _write(self, removed: dict[ReplicaId, int]) -> None:
        self._removed = removed
        fresh = self._file.with_suffix(".new")
        with suppress(OSError):  # without room for it the next daemon makes them again
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps(removed))
            fresh.replace(self._file)


def _ends(event: dict[str, Any], container: dict[str, Any]) -> bool:
    if event.get("Action") != "kill":
        return event.get("Action") == "stop"
    sent = str((event.get("Actor") or {}).get("Attributes", {}).get("signal", ""))
    return bool(sent) and sent == _number_of(stop_signal_of(container))


def _number_of(name: str) -> str:
    if name.isdigit():
        return name
    known = getattr(signal, name, None)
    return str(int(known)) if known is not None else ""


def _happened_since(event: dict[str, Any], moment: float) -> bool:
    return int(event.get("timeNano") or 0) / 1e9 >= moment


def _started_at(container: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(container["State"].get("StartedAt", ""))[:19] + "+00:00").timestamp()
    except ValueError:
        return 0.0


def _key(container: dict[str, Any]) -> str:
    return f"{container['Id']} {container['State'].get('StartedAt', '')}"


def _read(file: Path) -> dict[ReplicaId, int]:
    try:
        return {ReplicaId(replica): int(code) for replica, code in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
