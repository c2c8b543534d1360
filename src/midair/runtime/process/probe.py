"""Asks a replica once whether it is well. An empty answer means yes; anything else says why not."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from midair.model.project import HealthCheck, Ready
from midair.runtime.ask import ask_http, ask_tcp
from midair.runtime.check_name import check_name, name_of_test
from midair.runtime.health import Kind
from midair.runtime.process import command
from midair.runtime.process.command import Command
from midair.runtime.process.identity import PROC
from midair.runtime.process.spawn import has_become
from midair.runtime.process.translate import substituted

Probe = Callable[[], Awaitable[str]]


def probe_of(kind: Kind, check: HealthCheck | Ready, base: Command, values: dict[str, str], pid: int) -> Probe:
    """The question behind one check of one replica. `base` says where commands run."""
    port = int(values["PORT"])
    if kind == "running":
        return lambda: running(pid)
    if isinstance(check, HealthCheck):
        argv, name = _test(check.test, values), name_of_test(check.test)
        return lambda: ask_command(replace(base, argv=argv, timeout_s=check.timeout_s, name=name))
    if check.http is not None:
        path = "/" + check.http.lstrip("/")
        return lambda: ask_http(port, path, check.timeout_s, host=check.host, headers=check.headers)
    if check.command:
        argv, name = substituted(check.command, values), check_name(check.command)
        return lambda: ask_command(replace(base, argv=argv, timeout_s=check.timeout_s, name=name))
    return lambda: ask_tcp(port, check.timeout_s)


async def ask_command(question: Command) -> str:
    """Does the command end with 0?"""
    return (await command.run(question)).trouble


async def running(pid: int) -> str:
    """Has the process become its command? For an instant before it is a shell, or what changes the user."""
    try:
        command_line = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        command_line = b""
    return "" if has_become(command_line) else "is being started"


def _test(test: tuple[str, ...], values: dict[str, str]) -> tuple[str, ...]:
    kind, *words = test
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", *words)  # the shell finds the variables in its environment
    return substituted(tuple(words) if kind == "CMD" else test, values)
