"""The networks of a project on the engine: looked up, and made with a part that is for fronts alone."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.project import Project, Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE
from midair.runtime.docker.front.addresses import lower_half, subnet_of
from midair.runtime.docker.translate import Placement, network_name


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
        if await network(client, name) is not None:
            continue
        if entry.get("external"):
            raise missing("network", name)
        async with trouble(f'use network "{name}"'):
            body = _network_body(project, key, name, entry)
            made.append(await _create(client, body, subnet_of(project, name)))


async def _create(client: aiodocker.Docker, body: dict[str, Any], subnet: str | None) -> str:
    """Make a network whose upper half the engine gives to nobody. Returns its id; raises DockerError.

    The engine is asked for a range first, which overlaps no route of this machine, and then to use half of it.
    `subnet`: the one before, if fronts have fixed addresses in it.
    """
    if body["Driver"] != "bridge" or "IPAM" in body:
        return str((await client.networks.create(body)).id)
    for known in (subnet, None, None):
        pools = [{"Subnet": known}] if known else await _free_range(client, body)
        halves = {pool["Subnet"]: half for pool in pools if (half := lower_half(pool["Subnet"]))}
        config = [pool | ({"IPRange": halves[pool["Subnet"]]} if pool["Subnet"] in halves else {}) for pool in pools]
        with suppress(DockerError):  # somebody else was quicker
            ipam = {"Driver": "default", "Config": config}
            return str((await client.networks.create({**body, "IPAM": ipam})).id)
    return str((await client.networks.create(body)).id)


async def _free_range(client: aiodocker.Docker, body: dict[str, Any]) -> list[dict[str, str]]:
    probe = await client.networks.create(body)
    try:
        pools = ((await probe.show()).get("IPAM") or {}).get("Config") or []
    finally:
        await probe.delete()
    return [{"Subnet": str(pool["Subnet"])} for pool in pools]


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
                    if (value := pool.get(name) or (lower_half(pool["subnet"]) if name == "ip_range" else None))
                }
                for pool in ipam["config"]
            ],
        }
    return body


def missing(kind: str, name: str) -> RuntimeTrouble:
    return RuntimeTrouble(
        f'cannot use {kind} "{name}": it is external and does not exist', hint=f"create it: docker {kind} create {name}"
    )


async def network(client: aiodocker.Docker, name: str) -> dict[str, Any] | None:
    async with trouble(f'look up network "{name}"'):
        try:
            found: dict[str, Any] = await (await client.networks.get(name)).show()
        except DockerError as error:
            if error.status == 404:
                return None
            raise
        return found
