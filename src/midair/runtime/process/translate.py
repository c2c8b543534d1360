"""From what a service says to what a process is given, and from a record to what is seen. No I/O."""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from midair.model.ids import ReplicaId, service_of
from midair.model.project import Hook, Revision, Service
from midair.model.seen import ReplicaSeen
from midair.runtime.health import checks_of
from midair.runtime.process.record import Record

MARK = "MIDAIR_MARK"  # whose process this is; inherited by all it starts
_GIVEN = ("PORT", "MIDAIR_SERVICE", "MIDAIR_REPLICA", "MIDAIR_REVISION")
_VARIABLE = re.compile(rf"\$(?:\{{({'|'.join(_GIVEN)})\}}|({'|'.join(_GIVEN)})(?![A-Za-z0-9_]))")
_SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
    13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
}  # fmt: skip
_OF_ITS_SHELL_ALONE = ("PWD", "OLDPWD", "SHLVL", "_")  # true of the shell that asked, not of a replica


def given(replica: ReplicaId, revision: Revision, port: int) -> dict[str, str]:
    """The variables midair itself sets, and the only ones that are replaced in arguments."""
    values = (str(port), service_of(replica), replica, revision.id)
    return dict(zip(_GIVEN, values, strict=True))


def substituted(words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Arguments with `$PORT`, `${PORT}` and the other given variables filled in; any other `$` stays as it is."""
    return tuple(_VARIABLE.sub(lambda match: values[match[1] or match[2]], word) for word in words)


def environment(shell: Mapping[str, str], service: Service, values: Mapping[str, str], mark: str) -> dict[str, str]:
    """What a replica finds in its environment; the later wins."""
    inherited = {name: value for name, value in shell.items() if name not in _OF_ITS_SHELL_ALONE}
    return {**inherited, **service.environment, **values, MARK: mark}


def arguments(service: Service) -> tuple[str, ...]:
    """The command line of a service, as Compose forms it: entrypoint, then command."""
    return (*(service.entrypoint or ()), *(service.command or ()))


def slim(revision: Revision) -> Revision:
    """The part of a revision that a replica needs for the rest of its life, in terms of `$PORT`."""
    return replace(revision, service=replace(_with_own_port(revision.service), fields={}, extension={}))


def _with_own_port(service: Service) -> Service:
    words = service.own_port or {}
    check, ready = service.healthcheck, service.ready
    return replace(
        service,
        entrypoint=words.get("entrypoint", service.entrypoint),
        command=words.get("command", service.command),
        healthcheck=replace(check, test=words.get("healthcheck", check.test)) if check else None,
        ready=replace(ready, command=words.get("x-midair.ready", ready.command)) if ready else None,
        post_start=_hooks("post_start", service.post_start, words),
        pre_stop=_hooks("pre_stop", service.pre_stop, words),
    )


def _hooks(name: str, hooks: tuple[Hook, ...], words: Mapping[str, tuple[str, ...]]) -> tuple[Hook, ...]:
    return tuple(
        replace(hook, command=words.get(f"{name}.{number}", hook.command)) for number, hook in enumerate(hooks)
    )


def seen(record: Record) -> ReplicaSeen:
    """A replica as the core sees it."""
    alive = record.state != "exited"
    return ReplicaSeen(
        id=record.id,
        state=record.state,
        since=record.since,
        attempt=record.attempt,
        address=f"127.0.0.1:{record.port}",
        ready_at=record.ready_at,
        exit_code=record.exit_code,
        killed=record.killed,
        pid=record.identity.pid if alive and record.identity is not None else None,
        checked=is_checked(record.revision.service),
        detail=record.detail,
    )


def is_checked(service: Service) -> bool:
    """Whether a check of its own says when a replica of the service is ready."""
    return any(kind in ("healthcheck", "ready") for kind, _ in checks_of(service))


def exit_text(code: int | None, argv: tuple[str, ...], ever_ready: bool, interpreter: str = "") -> str:
    """Why a process is gone, for people. `interpreter`: what its script needs and is missing."""
    if code is None:
        return "ended while midair was not watching; its exit code is not known"
    if code < 0:
        return f"killed by {_SIGNALS.get(-code, f'signal {-code}')}"
    program = argv[0] if argv else ""
    if code in (126, 127) and not ever_ready and interpreter:
        return (
            f'exited with code {code}: command "{program}" needs the interpreter "{interpreter}", which does not exist'
        )
    if code == 127 and not ever_ready:
        return f'exited with code 127: command "{program}" was not found'
    if code == 126 and not ever_ready:
        return f'exited with code 126: command "{program}" may not be executed'
    return f"exited with code {code}"
