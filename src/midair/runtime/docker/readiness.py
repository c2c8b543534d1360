"""From an inspection to `ReplicaSeen`: the engine's own health check, midair's probes, or an open port."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId, revision_of, service_of
from midair.model.moment import format_span
from midair.model.project import Ready
from midair.model.seen import ReplicaSeen, ReplicaState, listens_elsewhere
from midair.runtime.ask import ask_http, ask_tcp
from midair.runtime.check_name import check_name, name_of_test
from midair.runtime.docker.container import (
    ERROR_LINE,
    Kept,
    address_of,
    anonymous_volumes,
    attempt_of,
    is_foreign,
    is_published,
    kept_by,
    route_to,
)
from midair.runtime.docker.listening import Key, Listeners, Listening, listening
from midair.runtime.error_line import error_line
from midair.runtime.health import Judge, Kind, Verdict, judged, wait_s

Execute = Callable[[str, tuple[str, ...]], Awaitable[None]]  # a command in a container; raises RuntimeTrouble

_NOT_YET = ("unhealthy", "starting")
_LISTENING = Ready(tcp=True, interval_s=0.1)
_TIMED_OUT = re.compile(r"Health check exceeded timeout \((\S+)\)")  # the engine's own words


class Readiness:
    """Remembers since when each container is what it is, and asks those that the engine does not check."""

    def __init__(self, clock: Callable[[], float], nudge: Callable[[], None], file: Path, execute: Execute) -> None:
        self._clock = clock
        self._listeners = Listeners(clock, nudge)
        self._file = file  # a daemon that comes after this one knows since when replicas are ready
        self._nudge, self._execute = nudge, execute
        self._since: dict[Key, tuple[ReplicaState, float]] = {}
        self._ready_at = _read(file)
        self._adapted: dict[tuple[str, str], Kept] = {}  # by service and revision
        self._judges: dict[Key, Judge] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}

    def adapt(self, service: str, revision: str, kept: Kept) -> None:
        """Replicas of a revision are judged by other settings from now on."""
        self._adapted[service, revision] = kept

    def kept(self, container: dict[str, Any], replica: ReplicaId) -> Kept:
        """What is kept of the replica's service, as it was changed last."""
        return self._adapted.get((service_of(replica), revision_of(replica))) or kept_by(container)

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listeners.close()

    def forget(self, container: str) -> None:
        """The container is gone."""
        self._leave(container)
        for known in (self._since, self._ready_at):
            for key in [key for key in known if key[0] == container]:
                known.pop(key)

    def seen(
        self, container: dict[str, Any], replica: ReplicaId, *, starting: bool, stopping: bool, resize: bool,
        by_hand: Literal["", "stopped"] = "",
    ) -> ReplicaSeen:  # fmt: skip
        """What the core is told about this container. One that was made and that nobody is starting has ended.

        `starting`: something is still to be done before it may be used.
        """
        attempt = attempt_of(container)
        key = (str(container["Id"]), str(container["State"].get("StartedAt", "")))
        kept = self.kept(container, replica)
        addresses = tuple(filter(None, (address_of(container, port) for port in kept.ports or (kept.port,) if port)))
        state = self._state(container, key, kept, addresses, stopping)
        if state == "starting" and container["State"]["Status"] == "created" and not starting:
            state = "exited"
        if starting and state in ("ready", "unhealthy"):
            state = "starting"
        before = self._since.get(key)
        if before is None or before[0] != state:
            self._since[key] = (state, self._clock())
        if state == "ready" and key not in self._ready_at:
            self._ready_at[key] = self._since[key][1]
            _write(self._file, self._ready_at)
        ended = container["State"]
        found = self._listening(container, key, state)
        judge = self._judges.get(key)
        return ReplicaSeen(
            id=replica,
            state=state,
            since=self._since[key][1],
            attempt=attempt,
            address=route_to(container, kept.port),
            ready_at=self._ready_at.get(key),
            exit_code=ended.get("ExitCode") if state == "exited" else None,
            pid=ended.get("Pid") or None,
            resize=resize and state not in ("stopping", "exited"),
            published=is_foreign(container) and is_published(container),
            checked=kept.ready is not None or "Health" in ended,
            detail=_detail(ended, state, name_of_test(_test_of(container)))
            or (_text(judge, kept, found) if judge and state in _NOT_YET else ""),
            listens=found.open,
            loopback=found.loopback,
            own_volumes=tuple(sorted(anonymous_volumes(container))),
            by_hand=by_hand,
        )

    @staticmethod
    def _detail_of(
        container: dict[str, Any], state: ReplicaState, kept: Kept, found: Listening, judge: Judge | None
    ) -> str:
        text = _detail(container["State"], state, name_of_test(_test_of(container)))
        return text or (_text(judge, kept, found) if judge is not None and state in _NOT_YET else "")

    def removed(self, replica: ReplicaId, exit_code: int) -> ReplicaSeen:
        """What the core is told about a replica whose container somebody removed after its end."""
        key = (f"removed {replica}", "")
        _, since = self._since.setdefault(key, ("exited", self._clock()))
        return ReplicaSeen(replica, "exited", since, exit_code=exit_code, detail="removed by hand", by_hand="removed")

    def _listening(self, container: dict[str, Any], key: Key, state: ReplicaState) -> Listening:
        is_host = (container.get("HostConfig") or {}).get("NetworkMode") == "host"
        pid = int(container["State"].get("Pid") or 0)
        if is_host or not pid or state not in ("starting", "ready", "unhealthy"):
            return Listening()
        return self._listeners.of(key, pid, self._since[key][1]) if state == "ready" else listening(pid)

    def _state(
        self, container: dict[str, Any], key: Key, kept: Kept, addresses: tuple[str, ...], stopping: bool
    ) -> ReplicaState:
        status = container["State"]["Status"]
        if status in ("exited", "dead", "removing", "restarting") or stopping:
            self._leave(key[0])
            return "stopping" if stopping and status not in ("exited", "dead", "removing", "restarting") else "exited"
        if status in ("created", "paused"):
            return "starting" if status == "created" else "unhealthy"
        health = (container["State"].get("Health") or {}).get("Status", "none")
        if health == "starting":  # again, for an engine that begins while its containers run
            return "ready" if key in self._ready_at else "starting"
        if health == "unhealthy":
            return "unhealthy"
        check = kept.ready or (_LISTENING if kept.listens else None)
        if check is None or not (addresses or check.command):
            return "ready"
        return self._judge(key, "ready" if kept.ready else "listening", check, addresses).verdict

    def _judge(self, key: Key, kind: Kind, check: Ready, addresses: tuple[str, ...]) -> Judge:
        known = self._judges.get(key)
        if known is not None and known.check == check:
            return known
        if known is None:
            passed_at = self._ready_at.get(key)
            verdict: Verdict = "ready" if passed_at is not None else "starting"
            judge = Judge(kind, check, self._clock(), verdict=verdict, passed_at=passed_at)
        else:
            judge = replace(known, kind=kind, check=check, failures=0)
        self._leave(key[0])
        self._judges[key] = judge
        self._asking[key] = asyncio.create_task(self._ask(key, check, addresses))
        return judge

    async def _ask(self, key: Key, check: Ready, addresses: tuple[str, ...]) -> None:
        while wait_s(self._judges[key], self._clock()) is not None:
            text = await self._answer(key[0], check, addresses)
            before = self._judges[key]
            self._judges[key] = judged(before, not text, text, self._clock())
            if (self._judges[key].verdict, self._judges[key].text) != (before.verdict, before.text):
                self._nudge()
            await asyncio.sleep(wait_s(self._judges[key], self._clock()) or 0)

    async def _answer(self, container: str, check: Ready, addresses: tuple[str, ...]) -> str:
        if check.command:
            try:
                async with asyncio.timeout(check.timeout_s):
                    await self._execute(container, check.command)
            except RuntimeTrouble as error:
                return error.message
            except TimeoutError:
                return f"{check_name(check.command)} did not end within {format_span(check.timeout_s)}"
            return ""
        host, _, port = addresses[0].rpartition(":")
        if check.http is not None:
            path = "/" + check.http.lstrip("/")
            return await ask_http(int(port), path, check.timeout_s, host, host=check.host, headers=check.headers)
        text = await ask_tcp(int(port), check.timeout_s, host)
        for other in addresses[1:] if text and check is _LISTENING else ():  # one of them is enough
            host, _, port = other.rpartition(":")
            if not await ask_tcp(int(port), check.timeout_s, host):
                return ""
        return text

    def _leave(self, container: str) -> None:
        self._listeners.forget(container)
        for key in [key for key in self._judges if key[0] == container]:
            self._judges.pop(key)
            self._asking.pop(key).cancel()


def _read(file: Path) -> dict[Key, float]:
    try:
        return {(entry[0], entry[1]): entry[2] for entry in json.loads(file.read_text())}
    except (OSError, ValueError):
        return {}


def _write(file: Path, ready_at: dict[Key, float]) -> None:
    fresh = file.with_suffix(".new")
    with suppress(OSError):  # without room for it the next daemon takes them for ready since it looked
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps([[*key, at] for key, at in ready_at.items()]))
        fresh.replace(file)


def _text(judge: Judge, kept: Kept, found: Listening) -> str:
    """What the last question came to, with the reason that can be seen from here."""
    ports = [port for port in kept.ports or (kept.port,) if port]
    if "refused" not in judge.text or not ports:
        return judge.text
    deaf = next((port for port in ports if port in found.loopback), ports[0])
    return judge.text + listens_elsewhere(deaf, found.open, found.loopback)


def _test_of(container: dict[str, Any]) -> tuple[str, ...]:
    """The check that the engine makes."""
    return tuple((container.get("Config", {}).get("Healthcheck") or {}).get("Test") or ())


def _detail(state: dict[str, Any], seen: ReplicaState, check: str) -> str:
    if state.get("OOMKilled"):
        return "out of memory"
    if state.get("Error"):
        return _without_layers(str(state["Error"]))
    if seen == "exited":
        line = state.get(ERROR_LINE)
        return f"exited with code {state.get('ExitCode')}" + (f": {line}" if line else "")
    if seen in _NOT_YET:
        return _answer_of_check((state.get("Health") or {}).get("Log") or [], check)
    return ""


def _answer_of_check(log: list[dict[str, Any]], check: str) -> str:
    """What the engine's own check said last, if it did not pass. Code -1: the engine ended it, or could not run it."""
    if not log or not log[-1].get("ExitCode"):
        return ""
    code, output = log[-1]["ExitCode"], str(log[-1].get("Output", ""))
    if timeout := _TIMED_OUT.match(output):
        return f"{check} did not end within {timeout[1]}"
    line = error_line(output)
    if code == -1 and line:
        return f"{check} could not be run: {_without_layers(line)}"
    return f"{check} ended with code {code}" + (f": {line}" if line else "")


def _without_layers(text: str) -> str:
    """The error of a program that could not be started, without the names of the engine's layers around it."""
    return text.strip().rpartition("container process: ")[2].removesuffix(": unknown")
