"""`x-midair` of a service: what only midair knows, as typed values with defaults."""

import re
from typing import Any

from midair.model.project import Drain, Hold, Ready, Strategy, StrategyStep
from midair.model.proxies import parse_network, trusts_everybody
from midair.spec import units
from midair.spec.links import check_shared
from midair.spec.node import Node
from midair.spec.problems import Problems, got, join
from midair.spec.table.common import signal_name

UNTIL_PROMOTED = -1.0
_TOKEN, _VALUE, _HOST = (
    re.compile(r"[\w!#$%&'*+.^`|~-]+", re.A),
    re.compile(r"[\t\x20-\x7e]*"),
    re.compile(r"[\x21-\x7e]+"),
)
_OURS = ("host", "connection", "content-length", "transfer-encoding")  # the first has a key of its own


def check_extension(service: Node, path: str, problems: Problems) -> None:
    """Note what the schema cannot see."""
    own = service.get("x-midair")
    if own is None:
        return
    check_proxies(service, path, problems)
    above, path = path, join(path, "x-midair")
    _check_ready(own, path, problems)
    _check_rollout(own, path, problems)
    check_shared(service, above, problems)
    on_change = own.get("on_change")
    for pattern, each in on_change.entries() if on_change is not None else ():
        if not isinstance(each.value, str) or (signal_name(each.value) is None and "://" not in each.value):
            message = f'should be a signal such as "SIGHUP" or a URL to call, got {got(each.value)}'
            problems.add(join(join(path, "on_change"), pattern), message, each)


def check_proxies(node: Node, path: str, problems: Problems) -> None:
    """Note what is wrong with `trusted_proxies`, of a service or of the project."""
    own = node.get("x-midair")
    proxies = own.get("trusted_proxies") if own is not None else None
    path = join(path, "x-midair.trusted_proxies")
    networks = []
    for index, each in enumerate(proxies.items() if proxies is not None else ()):
        try:
            networks.append(parse_network(each.value))
        except ValueError:
            message = f'should be an address or a network such as "10.0.0.0/8", got {got(each.value)}'
            problems.add(join(path, index), message, each)
    if proxies is not None and trusts_everybody(networks):
        message = "should not trust every address, or any client could pass for another; list those of your proxies"
        problems.add(path, message, proxies)


def _check_ready(own: Node, path: str, problems: Problems) -> None:
    ready = own.get("ready")
    if ready is None:
        return
    said = [field for field in ("http", "tcp", "command") if (node := ready.get(field)) is not None and node.value]
    if len(said) != 1 and not problems.covers_below(join(path, "ready")):
        named = " and ".join(said) or "none of them"
        problems.add(join(path, "ready"), f"should have one of http, tcp and command, got {named}", ready.place)
    http = ready.get("http")
    if http is not None and not http.value.startswith("/"):
        problems.add(join(path, "ready.http"), f'should be a path such as "/healthz", got {got(http.value)}', http)
    _check_headers(ready, http is not None, join(path, "ready"), problems)


def _check_headers(ready: Node, asks_http: bool, path: str, problems: Problems) -> None:
    host, headers = ready.get("host"), ready.get("headers")
    for name, node in (("host", host), ("headers", headers)):
        if node is not None and not asks_http:
            problems.add(join(path, name), "has no effect without http", node)
    if host is not None and not _HOST.fullmatch(str(host.value)):
        problems.add(join(path, "host"), f'should be a name such as "shop.example", got {got(host.value)}', host)
    for name, value in headers.entries() if headers is not None else ():
        where = join(join(path, "headers"), name)
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            problems.add(where, "is no header that can be set", value)
        elif not _VALUE.fullmatch(str(value.value)):
            problems.add(where, "should be one line of printable characters", value)


def _check_rollout(own: Node, path: str, problems: Problems) -> None:
    rollout = own.get("rollout")
    if rollout is None:
        return
    path = join(path, "rollout")
    strategy, steps, stick_by = (rollout.get(field) for field in ("strategy", "steps", "stick_by"))
    is_canary = strategy is not None and strategy.value == "canary"
    if steps is not None and not is_canary and not problems.covers(join(path, "strategy")):
        problems.add(join(path, "steps"), "only a canary has steps; write strategy: canary", steps.place)
    for index, step in enumerate(steps.items() if steps is not None else ()):
        below = join(join(path, "steps"), index)
        if len(step.value) != 1 and not problems.covers_below(below):
            problems.add(below, "should have one of weight, pause and analysis", step)
        pause = step.get("pause")
        if pause is not None and _pause_s(pause.value) is None:
            message = f'should be a duration such as "2m", or {{}} or true to wait for promote, got {got(pause.value)}'
            problems.add(join(below, "pause"), message, pause)
    if stick_by is not None:
        kind, _, name = stick_by.value.partition(":")
        if kind not in ("header", "cookie") or not name:
            message = f'should be "header:NAME" or "cookie:NAME", got {got(stick_by.value)}'
            problems.add(join(path, "stick_by"), message, stick_by)


def _pause_s(value: str | None) -> float | None:
    if value in ("true", "", None):
        return UNTIL_PROMOTED
    try:
        return units.seconds(value)
    except ValueError:
        return None


def ready(own: dict[str, Any]) -> Ready | None:
    """`ready`, or None when it is not asked for."""
    said = own.get("ready")
    if said is None:
        return None
    return Ready(
        http=said.get("http"),
        tcp=said.get("tcp", False),
        command=tuple(said.get("command", ())),
        interval_s=span(said, "interval", 0.25),
        timeout_s=span(said, "timeout", 2.0),
        retries=said.get("retries", 3),
        host=said.get("host", ""),
        headers={name: str(value) for name, value in said.get("headers", {}).items()},
    )


def strategy(own: dict[str, Any]) -> Strategy:
    """`rollout`."""
    said = own.get("rollout", {})
    return Strategy(
        kind=said.get("strategy", "rolling"),
        steps=tuple(_step(each) for each in said.get("steps", ())),
        stick_by=said.get("stick_by"),
        progress_deadline_s=span(said, "progress_deadline", 600.0),
    )


def _step(said: dict[str, Any]) -> StrategyStep:
    pause = _pause_s(said["pause"]) if "pause" in said else None
    return StrategyStep(weight=said.get("weight"), pause_s=pause, analysis=said.get("analysis"))


def drain(own: dict[str, Any]) -> Drain:
    """`drain`."""
    said = own.get("drain", {})
    timeout_s = span(said, "timeout", 30.0)
    return Drain(
        timeout_s=timeout_s,
        long_lived=said.get("long_lived", "close"),
        websocket_s=span(said, "websocket", timeout_s if "timeout" in said else 5.0),
        in_surge=said.get("in_surge", False),
    )


def hold(own: dict[str, Any]) -> Hold:
    """`hold`."""
    said = own.get("hold", {})
    return Hold(timeout_s=span(said, "timeout", 30.0), max_requests=said.get("max_requests", 1000))


def on_change(own: dict[str, Any]) -> dict[str, str]:
    """`on_change`, with signals by their full names."""
    return {pattern: signal_name(what) or what for pattern, what in own.get("on_change", {}).items()}


def span(said: dict[str, Any], field: str, default: float) -> float:
    """A duration in seconds."""
    return units.seconds(said[field]) if field in said else default
