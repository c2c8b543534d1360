"""What the names of services lead to, found out before a change is stored: ports, and the addresses of fronts."""

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_interface
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.fronts import networks_of
from midair.model.project import Front, Names, Project, Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE
from midair.runtime.docker.front.addresses import choose
from midair.runtime.docker.networks import network
from midair.runtime.docker.translate import Placement, named_port, network_name, target_ports


async def names_of(
    client: aiodocker.Docker, project: Project, services: Iterable[Service], before: Project
) -> dict[str, Names]:
    """What the names of these services lead to. `before`: the project in force, whose fronts keep their addresses.

    Raises RuntimeTrouble.
    """
    hosts = await _hosts(client, project.name)
    taken = hosts | set(_written(project))
    taken |= {str(ip_interface(a).ip) for s in before.services.values() if s.front for a in s.front.addresses.values()}
    known: dict[str, dict[str, Any]] = {}
    names: dict[str, Names] = {}
    for service in services:
        ports = await _ports_of(client, service)
        found = tuple(named_port(service, port) for port in ports)
        old = await _old_address(client, project.name, service.name)
        if old in hosts:  # containers that were made before there were fronts
            found += tuple(named_port(service, port, address=old) for port in ports)
        had = before.services.get(service.name, service).front or Front()
        names[service.name] = Names(found, Front(await _addresses(client, project, service, had, taken, known)))
    return names


async def _addresses(
    client: aiodocker.Docker, project: Project, service: Service, had: Front, taken: set[str],
    known: dict[str, dict[str, Any]],
) -> dict[str, str]:  # fmt: skip
    """Fixed addresses on the networks that are this project's own; on others only their owner can tell what is free."""
    addresses: dict[str, str] = {}
    for key, settings in networks_of(service):
        name = network_name(key, settings, Placement(project))
        if name not in known:
            known[name] = await network(client, name) or {}
            joined = (known[name].get("Containers") or {}).values()
            taken |= {str(entry.get("IPv4Address", "")).partition("/")[0] for entry in joined}
        if (known[name].get("Labels") or {}).get(f"{COMPOSE}project") == project.name:
            address = choose(known[name], service.name, had.addresses.get(name, ""), taken)
            if address is not None:
                addresses[name] = address
                taken.add(str(ip_interface(address).ip))
    return addresses


def _written(project: Project) -> Iterable[str]:
    """Addresses that the file gives to replicas."""
    for service in project.services.values():
        for _, settings in networks_of(service):
            if (settings or {}).get("ipv4_address"):
                yield str((settings or {})["ipv4_address"])


async def _old_address(client: aiodocker.Docker, project: str, service: str) -> str:
    """Where containers from before there were fronts find the name, or ""."""
    found = await network(client, f"{project}_midair_{service}")
    pools = ((found or {}).get("IPAM") or {}).get("Config") or []
    return next((str(pool["Gateway"]) for pool in pools if pool.get("Gateway")), "")


async def _hosts(client: aiodocker.Docker, project: str) -> set[str]:
    """Addresses in the hosts files of the project's containers: none of them may come to stand for another name."""
    async with trouble("list containers"):
        labels = {"label": [f"{COMPOSE}project={project}"]}
        shown = [await entry.show() for entry in await client.containers.list(all=True, filters=labels)]
    return {entry.partition(":")[2] for one in shown for entry in one["HostConfig"].get("ExtraHosts") or []}


async def _ports_of(client: aiodocker.Docker, service: Service) -> tuple[int, ...]:
    """Ports that the name of the service has: those of the file, and those that its image exposes."""
    named = set(target_ports(service))
    if service.image:
        with suppress(DockerError, RuntimeTrouble):
            async with trouble("inspect the image"):
                config = (await client.images.inspect(service.image)).get("Config") or {}
            for entry in config.get("ExposedPorts") or {}:
                port, _, protocol = entry.partition("/")
                if protocol == "tcp":
                    named.add(int(port))
    return tuple(sorted(named))
