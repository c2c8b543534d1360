"""The port of a service's own on the process runtime: `$PORT` wherever the file names the port of the container.

What is decided stands in `Service.own_port` and goes with the revision: a revision of an older midair has none, and is
run as it always was.
"""

import shlex
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from midair.model.project import Revision, Service
from midair.plan.port_words import Mapped, Reader

_FIXED = ("entrypoint", "command")  # what a running replica cannot take any more


class OwnPort(msgspec.Struct, frozen=True):
    """What the fields of a service become, with a line for people and the reasons why it cannot be."""

    words: dict[str, tuple[str, ...]] = {}
    note: str = ""
    refusals: tuple[str, ...] = ()


def settled(service: Service, before: Revision | None) -> Service:
    """The service with its fields in terms of `$PORT`. `before`: the same revision, when it is in force already."""
    if before is None:
        return replace(service, own_port=own_port(service).words) if applies(service) else service
    earlier = before.service.own_port
    if earlier is None or not applies(service):
        return replace(service, own_port=earlier)
    words = {name: text for name, text in own_port(service).words.items() if name not in _FIXED}
    return replace(service, own_port=words | {name: earlier[name] for name in _FIXED if name in earlier})


def applies(service: Service) -> bool:
    """Whether the replicas of a service have a port of their own that the file can name."""
    return service.can.port_variable and service.extension.get("port") != "literal" and bool(_targets(service))


def own_port(service: Service) -> OwnPort:
    """Read every command and check of a service."""
    targets = _targets(service)
    published = frozenset(port.port for port in service.ports if port.protocol != "udp")
    names = [service.name, service.fields.get("container_name"), service.fields.get("hostname")]
    inside = Reader(targets, check=False)
    asking = Reader(targets | published, frozenset(name for name in names if isinstance(name, str)), check=True)
    found: dict[str, Mapped] = dict(_commands(service, inside))
    found |= {name: _asked(words, asking) for name, words in _checks(service)}
    changed = {name: mapped.words for name, mapped in found.items() if mapped.own}
    return OwnPort(changed, _note(service, found), tuple(_refusals(service, found)))


def _targets(service: Service) -> frozenset[int]:
    return frozenset(port.target for port in service.ports if port.protocol != "udp" and not port.inside)


def _commands(service: Service, reader: Reader) -> Iterator[tuple[str, Mapped]]:
    """Entrypoint and command are one line, of which each keeps its part."""
    first, second = service.entrypoint or (), service.command or ()
    mapped = reader.argv((*first, *second))
    for name, part in (("entrypoint", slice(0, len(first))), ("command", slice(len(first), None))):
        if words := (*first, *second)[part]:
            differs = mapped.words[part] != words
            unclear = mapped.unclear if mapped.proposed[part] != mapped.words[part] else frozenset()
            own = mapped.own if differs else frozenset()
            yield name, Mapped(mapped.words[part], own, unclear, mapped.proposed[part])


def _checks(service: Service) -> Iterator[tuple[str, tuple[str, ...]]]:
    if service.healthcheck is not None and service.healthcheck.test[:1] != ("NONE",):
        yield "healthcheck", service.healthcheck.test
    if service.ready is not None and service.ready.command:
        yield "x-midair.ready", service.ready.command
    for name, hooks in (("post_start", service.post_start), ("pre_stop", service.pre_stop)):
        for number, hook in enumerate(hooks):
            yield f"{name}.{number}", hook.command


def _asked(words: tuple[str, ...], reader: Reader) -> Mapped:
    if words[:1] == ("CMD-SHELL",):
        return _after(words[0], reader.script(" ".join(words[1:])))
    return _after(words[0], reader.argv(words[1:])) if words[:1] == ("CMD",) else reader.argv(words)


def _after(first: str, mapped: Mapped) -> Mapped:
    return replace(mapped, words=(first, *mapped.words), proposed=(first, *mapped.proposed))


def _note(service: Service, found: Mapping[str, Mapped]) -> str:
    names = [name for name, mapped in found.items() if mapped.own]
    if not names:
        return ""
    numbers = ", ".join(str(number) for number in sorted(set().union(*(found[name].own for name in names))))
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return f"{service.name}: {numbers} in {listed} becomes $PORT, the port that each replica has of its own"


def _refusals(service: Service, found: Mapping[str, Mapped]) -> Iterator[str]:
    literal = "`x-midair: {port: literal}` to leave the number as it is"
    listening = set[int]().union(*(found[name].own for name in _FIXED if name in found))
    if len(listening) > 1:
        numbers = " and ".join(str(number) for number in sorted(listening))
        yield (
            f"{service.name}: command listens on {numbers}, but a process has one port, $PORT: "
            f"publish one of them and write $$PORT for it, or write {literal}"
        )
    for name, mapped in found.items():
        if mapped.unclear and not any("PORT" in word for word in mapped.words):
            numbers = " and ".join(str(number) for number in sorted(mapped.unclear))
            yield (
                f"{service.name}: {name}: it is not clear whether {numbers} is the replica's own port: "
                f"write `{_line(name, mapped.proposed)}` if it is, or {literal}"
            )


def _line(name: str, words: tuple[str, ...]) -> str:
    """A line for the file, in which a dollar sign is written twice."""
    escaped = [word.replace("$", "$$") for word in words]
    if name in _FIXED:
        return f"{name}: {' '.join(word if word.count('$$PORT') else shlex.quote(word) for word in escaped)}"
    key = {"healthcheck": "test", "x-midair.ready": "command"}.get(name, "command")
    return f"{key}: {msgspec.json.encode(escaped).decode()}"
