"""What the runtimes can do: code asks for what it means, never for the name of a runtime."""

from typing import Literal

import msgspec

RuntimeName = Literal["process", "docker", "swarm", "kubernetes"]


class Capabilities(msgspec.Struct, frozen=True):
    """Of one runtime."""

    releases: bool = False  # code is copied into releases, which `x-midair.build` prepares
    images: bool = False  # replicas run images, whose ports, volumes and command may be unknown before they run
    mounts: bool = False  # volumes, configs, secrets and networks are things of the engine, given to a replica
    isolated: bool = False  # a replica has network and addresses of its own, unless the file says otherwise
    port_variable: bool = False  # each replica is given a port of its own, in $PORT
    limits: bool = False  # CPU, memory and the like can be limited
    fronts: bool = False  # a service's names lead to a front


_CONTAINERS = Capabilities(images=True, mounts=True, isolated=True, limits=True)

CAPABILITIES: dict[RuntimeName, Capabilities] = {
    "process": Capabilities(releases=True, port_variable=True),
    "docker": msgspec.structs.replace(_CONTAINERS, fronts=True),
    "swarm": _CONTAINERS,
    "kubernetes": _CONTAINERS,
}
