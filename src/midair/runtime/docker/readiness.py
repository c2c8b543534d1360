"""From an inspection to `ReplicaSeen`: the engine's own health check, midair's probes, or an open port."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midair.model.ids import ReplicaId, revision_of, service_of
from midair.model.seen import ReplicaSeen, ReplicaState
from midair.runtime.docker.translate import Kept, address_of, attempt_of, is_foreign, is_published, kept_by, route_to

Key = tuple[ReplicaId, int]  # a replica and which start of it

_ASK_S = 0.2
_CONNECT_S = 1.0


class Readiness:
    """Remembers since when each container is what it is, and probes those that the engine does not check."""

    def __init__(self, clock: Callable[[], float], nudge: Callable[[], None], file: Path) -> None:
        self._clock = clock
        self._file = file  # a daemon that comes after this one knows since when replicas are ready
        self._nudge = nudge
        self._since: dict[Key, tuple[ReplicaState, float]] = {}
        self._ready_at = _read(file)
        self._open: set[Key] = set()  # their port accepted a connection
        self._adapted: dict[tuple[str, str], Kept] = {}  # by service and revision
        self._probes: dict[Key, asyncio.Task[None]] = {}

    def adapt(self, service: str, revision: str, kept: Kept) -> None:
        """Replicas of a revision are judged by other settings from now on."""
        self._adapted[service, revision] = kept

    async def close(self) -> None:
        """End all probes."""
        for task in self._probes.values():
            task.cancel()
        await asyncio.gather(*self._probes.values(), return_exceptions=True)

    def forget(self, replica: ReplicaId) -> None:
        """The replica is gone."""
        for known in (self._since, self._ready_at, self._probes):
            for key in [key for key in known if key[0] == replica]:
                known.pop(key)

    def seen(self, container: dict[str, Any], replica: ReplicaId, *, stopping: bool, resize: bool) -> ReplicaSeen:
        """What the core is told about this container."""
        attempt = attempt_of(container)
        key = (replica, attempt)
        kept = self._adapted.get((service_of(replica), revision_of(replica))) or kept_by(container)
        address = address_of(container, kept.port) if kept.port else ""
        state = self._state(container, key, kept, address, stopping)
        before = self._since.get(key)
        if before is None or before[0] != state:
            self._since[key] = (state, self._clock())
        if state == "ready" and key not in self._ready_at:
            self._ready_at[key] = self._since[key][1]
            _write(self._file, self._ready_at)
        ended = container["State"]
        return ReplicaSeen(
            id=replica,
            state=state,
            since=self._since[key][1],
            attempt=attempt,
            address=route_to(container, kept.port) if address and kept.port else "",
            ready_at=self._ready_at.get(key),
            exit_code=ended.get("ExitCode") if state == "exited" else None,
            pid=ended.get("Pid") or None,
            resize=resize and state not in ("stopping", "exited"),
            published=is_foreign(container) and is_published(container),
            detail=_detail(ended, state),
        )

    def _state(
        self,
        container: dict[str, Any],
        key: Key,
        kept: Kept,
        address: str,
        stopping: bool,
    ) -> ReplicaState:
        status = container["State"]["Status"]
        if status in ("exited", "dead", "removing", "restarting"):
            return "exited"
        if stopping:
            return "stopping"
        if status in ("created", "paused"):
            return "starting" if status == "created" else "unhealthy"
        health = (container["State"].get("Health") or {}).get("Status", "none")
        if health == "starting":
            return "starting"
        if health == "unhealthy":
            return "unhealthy"
        if address and (kept.listens or kept.ready) and key not in self._open:
            self._probe(key, address, kept)
            return "starting"
        return "ready"

    def _probe(self, key: Key, address: str, kept: Kept) -> None:
        if key not in self._probes:
            path = kept.ready.http if kept.ready else None
            self._probes[key] = asyncio.create_task(self._ask(key, address, path))

    async def _ask(self, key: Key, address: str, path: str | None) -> None:
        host, _, port = address.rpartition(":")
        while key not in self._open:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    if await _answers(host, int(port), path):
                        self._open.add(key)
                        self._nudge()
                        return
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(_ASK_S)


def _read(file: Path) -> dict[Key, float]:
    try:
        return {(entry[0], entry[1]): entry[2] for entry in json.loads(file.read_text())}
    except (OSError, ValueError):
        return {}


def _write(file: Path, ready_at: dict[Key, float]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps([[*key, at] for key, at in ready_at.items()]))
    fresh.replace(file)


async def _answers(host: str, port: int, path: str | None) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        if path is None:
            return True
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        return len(status) > 1 and status[1][:1] in (b"2", b"3")
    finally:
        writer.close()


def _detail(state: dict[str, Any], seen: ReplicaState) -> str:
    if state.get("OOMKilled"):
        return "out of memory"
    if state.get("Error"):
        return str(state["Error"])
    if seen == "exited":
        return f"ended with {state.get('ExitCode')}"
    if seen == "unhealthy":
        log = (state.get("Health") or {}).get("Log") or [{}]
        return str(log[-1].get("Output", "")).strip()[-200:]
    return ""
