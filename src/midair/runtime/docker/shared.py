"""What the services of a project share: volumes, the addresses that names had before there were fronts, and an end.

Before there were fronts each service with a name had a small network of its own to which nothing was attached: the
router listened on its gateway. Containers from then know these addresses, so they stay until the last was replaced.
"""

import json
from ipaddress import ip_interface
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.model.project import Project
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE
from midair.runtime.docker.networks import missing, network
from midair.runtime.docker.translate import Placement

NAME_OF = "io.midair.name-of"  # label of a network that holds a service's address
PROJECT_OF = "io.midair.project"  # label of the same: whose it is


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
                    raise missing("volume", name) from None
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
        if gateway and await network(client, body["Name"]) is None:
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
