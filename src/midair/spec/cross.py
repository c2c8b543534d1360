"""Checks that need the whole model: names that lead nowhere, circles, ports taken twice, fields that exclude others."""

import re
from collections.abc import Iterator

from midair.spec.node import Node
from midair.spec.problems import Problems, did_you_mean, got, join
from midair.spec.table.common import signal_name

LONGEST_NAME = 63  # it becomes a name of folders and of hosts
_PULL_POLICY = r"always|never|build|if_not_present|missing|refresh|daily|weekly|every_(\d+[wdhms])+"


def cross_check(model: Node, problems: Problems) -> None:
    """Note everything that is wrong between the parts of a model."""
    services = model.get("services")
    if services is None:
        return
    for name, service in services.entries():
        path = join("services", name)
        if len(name) > LONGEST_NAME:
            problems.add(path, f"a name should have at most {LONGEST_NAME} characters, got {len(name)}", service)
        _check_references(model, service, path, problems)
        _check_values(service, path, problems)
        _check_pairs(service, path, problems)
    _check_circles(services, problems)
    _check_ports(services, problems)
    _check_files(model, problems)


def _check_references(model: Node, service: Node, path: str, problems: Problems) -> None:
    for section in ("networks", "models"):
        node = service.get(section)
        for name, each in node.entries() if node is not None else ():
            _refer(model, section, name, join(join(path, section), name), each, problems)
    for section, field in (("secrets", ("secrets",)), ("configs", ("configs",)), ("secrets", ("build", "secrets"))):
        node = service.find(*field)
        for index, item in enumerate(node.items() if node is not None else ()):
            source = item.get("source")
            if source is not None:
                _refer(model, section, source.value, join(join(path, ".".join(field)), index), source, problems)
    node = service.get("volumes")
    for index, item in enumerate(node.items() if node is not None else ()):
        source, kind = item.get("source"), item.get("type")
        if source is not None and kind is not None and kind.value == "volume" and source.value:
            _refer(model, "volumes", source.value, join(join(path, "volumes"), index), source, problems)


def _refer(model: Node, section: str, name: str, path: str, at: Node, problems: Problems) -> None:
    known = model.get(section)
    if (known is not None and known.get(name) is not None) or problems.covers(join(section, name)):
        return
    hint = did_you_mean(name, (each for each, _ in known.entries()) if known is not None else ())
    kind = section.removesuffix("s")
    problems.add(path, f"there is no {kind} {got(name)} under {section}{hint}", at.place)


def _check_values(service: Node, path: str, problems: Problems) -> None:
    signal = service.get("stop_signal")
    if signal is not None and signal_name(signal.value) is None:
        message = f'should be a signal such as "SIGTERM" or "SIGINT", got {got(signal.value)}'
        problems.add(join(path, "stop_signal"), message, signal)
    restart = service.get("restart")
    if restart is not None and not _is_restart(restart.value):
        message = f'should be "no", "always", "unless-stopped" or "on-failure[:times]", got {got(restart.value)}'
        problems.add(join(path, "restart"), message, restart)
    policy = service.get("pull_policy")
    if policy is not None and not re.fullmatch(_PULL_POLICY, policy.value):
        message = f'should be "always", "missing", "never", "build", "daily" or "every_12h", got {got(policy.value)}'
        problems.add(join(path, "pull_policy"), message, policy)
    for index, rule in _indexed(service.get("develop") or service.with_value({}), "watch"):
        action = rule.get("action")
        if action is not None and action.value.startswith("sync") and rule.get("target") is None:
            where = join(join(join(path, "develop"), "watch"), index)
            problems.add(f"{where}.target", f"is missing: {action.value} needs it", rule.place)


def _is_restart(value: str) -> bool:
    name, colon, times = value.partition(":")
    return value in ("", "no", "always", "unless-stopped", "on-failure") or (
        name == "on-failure" and bool(colon) and times.isdecimal() and len(times) < 10
    )


def _check_pairs(service: Node, path: str, problems: Problems) -> None:
    if service.get("network_mode") is not None and service.get("networks") is not None:
        problems.add(
            join(path, "network_mode"), "excludes networks; write one of them", service.value["network_mode"].place
        )
    build = service.get("build")
    if build is not None and build.get("dockerfile") is not None and build.get("dockerfile_inline") is not None:
        inline = build.value["dockerfile_inline"].place
        problems.add(join(path, "build.dockerfile_inline"), "excludes dockerfile; write one of them", inline)
    if service.find("x-midair", "build") is not None and build is None:
        place = service.value["x-midair"].value["build"].place
        problems.add(join(path, "x-midair.build"), "needs build, which says where the code is", place)
    runs = ("image", "build", "provider", "command", "entrypoint", "extends")
    says = any((found := service.get(field)) is not None and found.value for field in runs)
    if not says and not problems.covers_below(path):  # a field that was left out may have said it
        problems.add(path, "says nothing to run; write image, build or command", service.place)


def _check_circles(services: Node, problems: Problems) -> None:
    done: set[str] = set()
    for start, _ in services.entries():
        trail: list[tuple[str, Iterator[str]]] = [(start, _needs(services, start))] if start not in done else []
        while trail:
            name, ahead = trail[-1]
            following = next(ahead, None)
            if following is None:
                done.add(name)
                trail.pop()
                continue
            names = [each for each, _ in trail]
            if following in names:
                _note_circle(services, [*names[names.index(following) :], following], problems)
            elif following not in done and services.get(following) is not None:
                trail.append((following, _needs(services, following)))


def _needs(services: Node, name: str) -> Iterator[str]:
    node = services.value[name].get("depends_on")
    return iter([each for each, _ in node.entries()] if node is not None else [])


def _note_circle(services: Node, circle: list[str], problems: Problems) -> None:
    entry = services.value[circle[-2]].value["depends_on"].value[circle[-1]]
    path = join(join(join("services", circle[-2]), "depends_on"), circle[-1])
    problems.add(path, f"goes in a circle: {' -> '.join(circle)}", entry.place)


def _check_ports(services: Node, problems: Problems) -> None:
    taken: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, service in services.entries():
        for index, port in _indexed(service, "ports"):
            published, protocol, host = (port.get(key) for key in ("published", "protocol", "host_ip"))
            first = published.value.split("-")[0] if published is not None else ""
            if published is None or first in ("", "0"):
                continue
            address = host.value if host is not None and host.value not in ("0.0.0.0", "::", "*") else ""
            key = (first, protocol.value if protocol is not None else "tcp")
            clash = next((who for who, where in taken.get(key, ()) if "" in (where, address) or where == address), None)
            if clash is not None:
                whose = "twice by this service" if clash == name else f"by service {got(clash)} too"
                message = f"port {first}/{key[1]} is published {whose}"
                problems.add(join(join(join("services", name), "ports"), index), message, published)
            taken.setdefault(key, []).append((name, address))


def _check_files(model: Node, problems: Problems) -> None:
    for section, fields in (("secrets", ("file", "environment")), ("configs", ("file", "environment", "content"))):
        node = model.get(section)
        for name, each in node.entries() if node is not None else ():
            external = each.get("external")
            said = [field for field in fields if each.get(field) is not None]
            path = join(section, name)
            if external is not None and external.value:
                continue
            if len(said) > 1:
                problems.add(path, f"{' and '.join(said)} exclude each other; write one of them", each.place)
            elif (
                not said and not (each.get("driver") or each.get("template_driver")) and not problems.covers_below(path)
            ):
                problems.add(path, f"says nothing to read; write {' or '.join(fields)}", each.place)


def _indexed(node: Node, field: str) -> Iterator[tuple[int, Node]]:
    items = node.get(field)
    yield from enumerate(items.items() if items is not None else ())
