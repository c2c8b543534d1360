"""What the services of a project share: networks, volumes, and the addresses at which the router answers for names.

A service that another one calls by its name must lose nothing either, so the name has to lead to the router. Each such
service gets a small network of its own whose gateway address belongs to this machine: the router listens on that
address at the service's own ports, and every container of the project finds the name there through its hosts file.
Nothing is ever attached to these networks; an address of this machine can be reached from any bridge.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_interface
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.project import Front, Names, Port, Project, Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE
from midair.runtime.docker.translate import Placement, named_port, network_name, target_ports

NAME_OF = "io.midair.name-of"  # label of a network that holds a service's address
PROJECT_OF = "io.midair.project"  # label of the same: whose it is


async def ensure_networks(
    client: aiodocker.Docker, project: Project, made: list[str], services: Iterable[Service]
) -> None:
    """Make the networks of these services that the engine does not have. Raises RuntimeTrouble.

    `made` takes the id of each, also of those before the one that failed.
    """
    placement = Placement(project)
    wanted: set[tuple[str, str]] = set()
    for service in services:
        if not service.fields.get("network_mode"):
            known = service.fields.get("networks") or {"default": None}
            wanted |= {(key, network_name(key, settings, placement)) for key, settings in known.items()}
    for key, name in sorted(wanted):
        entry = (project.fields.get("networks") or {}).get(key) or {}
        if await _network(client, name) is not None:
            continue
        if entry.get("external"):
            raise _missing("network", name)
        async with trouble(f'use network "{name}"'):
            made.append((await client.networks.create(_network_body(project, key, name, entry))).id)


def _network_body(project: Project, key: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": entry.get("driver") or "bridge",
        "Internal": bool(entry.get("internal")),
        "Attachable": bool(entry.get("attachable")),
        "EnableIPv6": bool(entry.get("enable_ipv6")),
        "Options": {str(k): str(v) for k, v in (entry.get("driver_opts") or {}).items()},
        "Labels": {
            **(entry.get("labels") or {}),
            f"{COMPOSE}project": project.name,
            f"{COMPOSE}network": key,
            f"{COMPOSE}version": "2.40.0",
        },
    }
    ipam = entry.get("ipam") or {}
    if ipam.get("config"):
        body["IPAM"] = {
            "Driver": ipam.get("driver") or "default",
            "Config": [
                {
                    api: value
                    for name, api in (("subnet", "Subnet"), ("gateway", "Gateway"), ("ip_range", "IPRange"))
                    if (value := pool.get(name))
                }
                for pool in ipam["config"]
            ],
        }
    return body


async def ensure_volumes(client: aiodocker.Docker, project: Project) -> None:
    """Make the named volumes that the engine does not have. Raises RuntimeTrouble for a missing external one."""
    placement = Placement(project)
    for key, entry in (project.fields.get("volumes") or {}).items():
        entry = entry or {}
        name = placement.volume(key)
        async with trouble(f'use volume "{name}"'):
            try:
                await client._query_json(f"volumes/{name}")
            except DockerError as error:
                if error.status != 404:
                    raise
                if entry.get("external"):
                    raise _missing("volume", name) from None
                await client._query_json(
                    "volumes/create",
                    method="POST",
                    data={
                        "Name": name,
                        "Driver": entry.get("driver") or "local",
                        "DriverOpts": {str(k): str(v) for k, v in (entry.get("driver_opts") or {}).items()},
                        "Labels": {
                            **(entry.get("labels") or {}),
                            f"{COMPOSE}project": project.name,
                            f"{COMPOSE}volume": key,
                            f"{COMPOSE}version": "2.40.0",
                        },
                    },
                )


async def names_of(client: aiodocker.Docker, project: Project, services: Iterable[Service]) -> dict[str, Names]:
    """What the names of these services lead to: their fronts, at the ports that are known."""
    names: dict[str, Names] = {}
    for service in services:
        ports = tuple(named_port(service, port) for port in await _ports_of(client, service))
        names[service.name] = Names((*ports, *await _old_address(client, project, service)), Front())
    return names


async def _old_address(client: aiodocker.Docker, project: Project, service: Service) -> tuple[Port, ...]:
    """Where containers that were made before there were fronts find the name, for as long as there are any."""
    found = await _network(client, f"{project.name}_midair_{service.name}")
    pools = ((found or {}).get("IPAM") or {}).get("Config") or []
    address = next((str(pool["Gateway"]) for pool in pools if pool.get("Gateway")), None)
    if address is None or not await _is_known(client, project.name, address):
        return ()
    return tuple(named_port(service, port, address=address) for port in await _ports_of(client, service))


async def _is_known(client: aiodocker.Docker, project: str, address: str) -> bool:
    """Whether a container of the project has the address in its hosts file."""
    async with trouble("list containers"):
        labels = {"label": [f"{COMPOSE}project={project}"]}
        listed = await client.containers.list(all=True, filters=labels)
        shown = [await entry.show() for entry in listed]
    hosts = (entry for one in shown for entry in one["HostConfig"].get("ExtraHosts") or [])
    return any(entry.partition(":")[2] == address for entry in hosts)


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


def _address_body(project: str, service: str) -> dict[str, Any]:
    labels = {NAME_OF: service, PROJECT_OF: project}
    return {"Name": f"{project}_midair_{service}", "CheckDuplicate": True, "Driver": "bridge", "Labels": labels}


async def restore_addresses(client: aiodocker.Docker, project: Project) -> None:
    """Bring back the networks that hold addresses of names: to `docker network prune` they look unused.

    The same addresses, since running containers know them. Raises RuntimeTrouble.
    """
    for service in project.services.values():
        body = _address_body(project.name, service.name)
        gateway = next((port.host for port in service.names if port.host), None)
        if gateway and await _network(client, body["Name"]) is None:
            pool = {"Subnet": str(ip_interface(f"{gateway}/29").network), "Gateway": gateway}
            async with trouble(f'create network "{body["Name"]}"'):
                await client.networks.create({**body, "IPAM": {"Driver": "default", "Config": [pool]}})


async def sweep(client: aiodocker.Docker, project: Project, name: str) -> None:
    """Remove networks that nothing needs: addresses of services that are gone and, with the last service, the others.

    Volumes stay, as with `docker compose down`. A network that anybody is in stays too, running or not.
    """
    labels = [f"{PROJECT_OF}={name}"] if project.services else [f"{PROJECT_OF}={name}", f"{COMPOSE}project={name}"]
    addresses = {port.host for service in project.services.values() for port in service.names if port.host}
    for label in labels:
        async with trouble("list networks"):
            filters = json.dumps({"label": [label]})
            listed: list[dict[str, Any]] = await client._query_json("networks", params={"filters": filters})
        for found in listed:
            pools = (found.get("IPAM") or {}).get("Config") or []
            if any(pool.get("Gateway") in addresses for pool in pools):
                continue
            if not await _is_used(client, found["Id"]):
                await remove_network(client, found["Id"])


async def _is_used(client: aiodocker.Docker, network: str) -> bool:
    """Containers that are not running are no hindrance to the engine, and could not start again without it."""
    async with trouble("list containers"):
        return bool(await client.containers.list(all=True, filters={"network": [network]}))


async def remove_network(client: aiodocker.Docker, network: str) -> None:
    """Remove it unless it is gone, or somebody has come into it meanwhile. Raises RuntimeTrouble."""
    async with trouble(f'remove network "{network[:12]}"'):
        try:
            await (await client.networks.get(network)).delete()
        except DockerError as error:
            if error.status not in (403, 404):
                raise


def _missing(kind: str, name: str) -> RuntimeTrouble:
    return RuntimeTrouble(
        f'cannot use {kind} "{name}": it is external and does not exist', hint=f"create it: docker {kind} create {name}"
    )


async def _network(client: aiodocker.Docker, name: str) -> dict[str, Any] | None:
    async with trouble(f'look up network "{name}"'):
        try:
            found: dict[str, Any] = await (await client.networks.get(name)).show()
        except DockerError as error:
            if error.status == 404:
                return None
            raise
        return found
