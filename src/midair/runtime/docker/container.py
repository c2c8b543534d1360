"""What a container says of itself: its labels, ports and addresses, out of the engine's answer. Pure.

Labels are Compose's own and midair's three. Field names are those of the Docker Engine API v1.41.
"""

import re
from typing import Any

import msgspec

from midair.model.ids import FOREIGN, ReplicaId, replica_id
from midair.model.project import Hook, Ready

KEPT = "io.midair.kept"
REPLICA = "io.midair.replica"  # web/7f3a91c2/0
ATTEMPT = "io.midair.attempt"
FRONT = "io.midair.front"  # the service whose front it is
FRONT_SPEC = "io.midair.front-spec"
COMPOSE = "com.docker.compose."
ERROR_LINE = "MidairErrorLine"  # in a container's state: the line of its log that names why it ended
_ANONYMOUS = re.compile("[0-9a-f]{64}")


class Kept(msgspec.Struct, frozen=True):
    """What midair has to know of a replica for as long as it lives, whatever becomes of the project. A label."""

    port: int | None = None  # that requests go to
    ports: tuple[int, ...] = ()  # published ones: one of them has to accept connections
    listens: bool = False  # a service that publishes ports is ready when one accepts connections
    ready: Ready | None = None
    pre_stop: tuple[Hook, ...] = ()
    post_start: tuple[Hook, ...] = ()


def replica_of(container: dict[str, Any]) -> ReplicaId | None:
    """Which replica a container is. One that `docker compose up` made is of no revision of midair's."""
    found = (container.get("Config") or {}).get("Labels") or {}
    if REPLICA in found:
        return ReplicaId(found[REPLICA])
    service, number = found.get(f"{COMPOSE}service"), found.get(f"{COMPOSE}container-number", "")
    if service and number.isdigit():
        return replica_id(service, FOREIGN, int(number) - 1)  # Compose counts from 1
    return None


def front_of(container: dict[str, Any]) -> str:
    """The service whose front a container is, or ""."""
    return str(((container.get("Config") or {}).get("Labels") or {}).get(FRONT, ""))


def has_ended(container: dict[str, Any]) -> bool:
    """Whether no process of it is left, or ever was."""
    return container["State"]["Status"] in ("exited", "dead", "created", "removing")


def is_left(container: dict[str, Any]) -> bool:
    """Whether it is one of Compose's that was replaced, and is only kept for a way back."""
    return is_foreign(container) and has_ended(container)


def stop_signal_of(container: dict[str, Any]) -> str:
    """The signal that a plain stop sends: the container's own, its image's, or SIGTERM."""
    found = str(container["Config"].get("StopSignal") or "SIGTERM")
    return found if found.startswith("SIG") or found.isdigit() else f"SIG{found}"


def anonymous_volumes(container: dict[str, Any]) -> dict[str, str]:
    """Names of the volumes that the engine made for it alone, by their place in the container."""
    volumes = [one for one in container.get("Mounts") or [] if one.get("Type") == "volume"]
    return {one["Destination"]: one["Name"] for one in volumes if _ANONYMOUS.fullmatch(one.get("Name") or "")}


def is_foreign(container: dict[str, Any]) -> bool:
    """Whether `docker compose up` made it."""
    return REPLICA not in (container["Config"].get("Labels") or {})


def attempt_of(container: dict[str, Any]) -> int:
    """Which start this is: the one it was made for, and those the engine added."""
    first = int(((container.get("Config") or {}).get("Labels") or {}).get(ATTEMPT, "1"))
    return first + int(container.get("RestartCount") or 0)


def kept_by(container: dict[str, Any]) -> Kept:
    """What a container keeps. One that Compose made has its ports in its configuration alone."""
    found = (container["Config"].get("Labels") or {}).get(KEPT)
    if found is not None:
        return msgspec.json.decode(found, type=Kept)
    ports = [int(entry.split("/")[0]) for entry in container["Config"].get("ExposedPorts") or {} if "/tcp" in entry]
    return Kept(port=min(ports, default=None), listens=is_published(container))


def is_published(container: dict[str, Any]) -> bool:
    """Whether the engine itself has bound ports of this machine for the container."""
    bindings = (container.get("HostConfig") or {}).get("PortBindings") or {}
    return any(entry.get("HostPort") for bound in bindings.values() for entry in bound or [])


def address_of(container: dict[str, Any], port: int) -> str:
    """host:port at which this machine reaches `port` of the container, or "" when it has no address now."""
    if (container.get("HostConfig") or {}).get("NetworkMode") == "host":
        return f"127.0.0.1:{port}"
    own = _own_address(container)
    if own:
        return f"{own}:{port}"
    bound = ((container.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{port}/tcp") or []
    return f"{bound[0]['HostIp']}:{bound[0]['HostPort']}" if bound else ""


def route_to(container: dict[str, Any], port: int | None) -> str:
    """What the router is told: a container with an address of its own is reached at whatever port is asked for.

    `port` is the first that its file names. Without one the name of the service may still have ports: its image's.
    """
    own = _own_address(container)
    if own:
        return f"{own}:*"
    return address_of(container, port) if port else ""


def _own_address(container: dict[str, Any]) -> str:
    networks = ((container.get("NetworkSettings") or {}).get("Networks") or {}).values()
    kinds = ("IPAddress", "GlobalIPv6Address")  # newer engines have networks without the first
    return next((str(network[kind]) for kind in kinds for network in networks if network.get(kind)), "")
