"""The container that is a front, as bodies of the engine's API. Pure.

Field names on the right are those of the Docker Engine API v1.41.
"""

import json
from hashlib import sha256
from ipaddress import ip_interface
from typing import Any

from midair.model.fronts import names_on, networks_of
from midair.model.project import Service
from midair.runtime.docker.container import COMPOSE, FRONT, FRONT_SPEC
from midair.runtime.docker.translate import Placement, network_name

INSIDE = "/run/front"  # where the router's folder for keepers is mounted
KEEPERS = "fronts"  # that folder's name in the folder of the project
GRACE_S = 1


def front_name(project: str, service: str) -> str:
    """The name of the container."""
    return f"{project}-{service}-front"


def endpoints(service: Service, placement: Placement) -> dict[str, dict[str, Any]]:
    """The engine's network name → endpoint settings: every name that the service has there."""
    addresses = service.front.addresses if service.front is not None else {}
    found: dict[str, dict[str, Any]] = {}
    for key, settings in networks_of(service):
        name = network_name(key, settings, placement)
        endpoint: dict[str, Any] = {"Aliases": names_on(service, settings)}
        if name in addresses:
            endpoint["IPAMConfig"] = {"IPv4Address": str(ip_interface(addresses[name]).ip)}
        found[name] = endpoint
    return found


def front_body(service: Service, placement: Placement, image: str, command: list[str], folder: str) -> dict[str, Any]:
    """The body of `POST /containers/create`. It has no name to be called by before its rules are there."""
    project, joined = placement.project, endpoints(service, placement)
    first = next(iter(joined))
    return {
        "Image": image,
        "Entrypoint": command,
        "StopTimeout": GRACE_S,
        "Labels": {
            f"{COMPOSE}project": project.name,
            f"{COMPOSE}service": service.name,
            # Compose's commands leave it alone, and its `down --remove-orphans` removes it.
            f"{COMPOSE}oneoff": "True",
            f"{COMPOSE}version": "2.40.0",
            FRONT: service.name,
            FRONT_SPEC: spec(service, placement),
        },
        "HostConfig": {
            "NetworkMode": first,
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN", "NET_BIND_SERVICE"],  # rules and low ports, in its own network namespace
            "SecurityOpt": ["no-new-privileges", "label=disable"],
            "ReadonlyRootfs": True,
            "PidsLimit": 16,
            "RestartPolicy": {"Name": "always"},  # it comes back without the daemon
            "Sysctls": {"net.ipv4.ip_forward": "1"},
            # The engine's own kind may be one that cannot be read.
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "100k", "max-file": "1"}},
            "Mounts": [{"Type": "bind", "Source": folder, "Target": INSIDE, "ReadOnly": True}],
        },
        "NetworkingConfig": {"EndpointsConfig": {first: joined[first] | {"Aliases": []}}},
    }


def spec(service: Service, placement: Placement) -> str:
    """Digest of what makes it another front. Its image is not part of it: an upgrade of midair replaces none."""
    content = json.dumps(endpoints(service, placement), sort_keys=True)
    return sha256(content.encode()).hexdigest()[:16]


def unfit(container: dict[str, Any], service: Service | None, placement: Placement) -> str:
    """Why a front is not what it is to be, or "". One that the project does not want has to run and no more."""
    state, is_wanted = container["State"], service is not None and service.front is not None
    if state.get("Paused"):
        return "it is paused"
    if not state.get("Running"):
        return "it does not run"
    if service is None or not is_wanted:
        return ""
    if (container["Config"].get("Labels") or {}).get(FRONT_SPEC) != spec(service, placement):
        return "its names or networks have changed"
    missing = unnamed(container, service, placement)
    return f'it has no name in network "{missing[0]}"' if missing else ""


def unnamed(container: dict[str, Any], service: Service, placement: Placement) -> list[str]:
    """The networks that it is not in, or has not all its names in."""
    joined = container["NetworkSettings"]["Networks"]
    return [
        name
        for name, endpoint in endpoints(service, placement).items()
        if not set(endpoint["Aliases"]) <= set((joined.get(name) or {}).get("Aliases") or [])
    ]
