"""Model → bodies of the engine's API. Pure; `limits.py` has the resources.

Names and labels are Compose's own, so that `docker compose ps`, `logs`, `exec` and `down` see midair's containers.
Field names on the right are those of the Docker Engine API v1.41.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from midair.model.ids import ReplicaId
from midair.model.moment import parse_span
from midair.model.project import Port, Project, Restart, Revision, Service
from midair.model.protocol import likely_protocol
from midair.runtime.docker.container import ATTEMPT, COMPOSE, KEPT, REPLICA, Kept, kept_by
from midair.runtime.docker.limits import resources, restart_policy
from midair.runtime.docker.mounts import bind, is_bind, mount

FLAGS = "MIDAIR_FLAGS"  # where midair's flag client looks by itself
_INSIDE = "/run/midair"
_INTERFACE = "com.docker.network.endpoint.ifname"

# Compose field → key of the create body, or of its HostConfig, with the same shape on both sides.
_BODY = {
    "hostname": "Hostname", "domainname": "Domainname", "user": "User", "working_dir": "WorkingDir", "tty": "Tty",
    "stdin_open": "OpenStdin", "stop_signal": "StopSignal", "mac_address": "MacAddress",
}  # fmt: skip
_HOST = {
    "cap_add": "CapAdd", "cap_drop": "CapDrop", "cgroup_parent": "CgroupParent", "dns": "Dns", "dns_opt": "DnsOptions",
    "dns_search": "DnsSearch", "group_add": "GroupAdd", "init": "Init", "isolation": "Isolation",
    "cgroup": "CgroupnsMode", "oom_score_adj": "OomScoreAdj", "privileged": "Privileged", "read_only": "ReadonlyRootfs",
    "runtime": "Runtime", "annotations": "Annotations",
    "security_opt": "SecurityOpt", "storage_opt": "StorageOpt", "sysctls": "Sysctls", "userns_mode": "UsernsMode",
    "uts": "UTSMode", "device_cgroup_rules": "DeviceCgroupRules", "pid": "PidMode", "ipc": "IpcMode",
}  # fmt: skip


class Placement:
    """What a container needs to know beside its revision: names of shared things, hosts, files."""

    def __init__(
        self,
        project: Project,
        *,
        files: tuple[tuple[str, str], ...] = (),
        inside: str = "",
        publish_loopback: bool = False,
    ) -> None:
        self.project = project
        self.hosts = {
            name: one.names[0].host for name, one in project.services.items() if one.names and not one.names[0].front
        }
        self.fronted = {name for name, one in project.services.items() if one.front is not None}
        self.files = files  # (path on this machine, path in the container): configs and secrets
        self.inside = inside  # folder of this machine with the socket that serves the project's flags; "": none
        self.publish_loopback = publish_loopback  # the host cannot reach container addresses (Docker Desktop)

    def volume(self, key: str) -> str:
        """The engine's name of a named volume of the file."""
        return _shared_name(self.project, "volumes", key)

    def network(self, key: str) -> str:
        """The engine's name of a network of the file."""
        return _shared_name(self.project, "networks", key)


def _shared_name(project: Project, kind: str, key: str) -> str:
    entry = project.fields.get(kind, {}).get(key) or {}
    return str(entry.get("name") or f"{project.name}_{key}")


def named_port(service: Service, port: int, *, address: str = "") -> Port:
    """Where the router answers for a service's name at one of its ports: in its front, or at an address."""
    spoken = next((known.protocol for known in service.ports if known.target == port), likely_protocol(port))
    front = "" if address else service.name
    return Port(port=port, target=port, host=address, protocol=spoken, inside=True, front=front)


def container_name(project: str, service: str, number: int) -> str:
    """Compose's own form, with the first free `number`."""
    return f"{project}-{service}-{number}"


def labels(project: Project, revision: Revision, replica: ReplicaId, attempt: int, number: int) -> dict[str, str]:
    """Compose's labels, midair's own three, and the service's."""
    service = revision.service
    depends = ",".join(
        f"{name}:{needed.condition}:{str(needed.restart).lower()}" for name, needed in service.depends_on.items()
    )
    return {
        **{str(key): str(value) for key, value in (service.fields.get("labels") or {}).items()},
        f"{COMPOSE}project": project.name,
        f"{COMPOSE}service": service.name,
        f"{COMPOSE}container-number": str(number),
        f"{COMPOSE}oneoff": "False",
        f"{COMPOSE}version": "2.40.0",  # the label version whose meaning these labels follow
        f"{COMPOSE}config-hash": sha256(json.dumps(service.fields, sort_keys=True).encode()).hexdigest(),
        f"{COMPOSE}project.config_files": ",".join(project.files),
        f"{COMPOSE}project.working_dir": project.folder,
        f"{COMPOSE}image": revision.release or "",
        f"{COMPOSE}depends_on": depends,
        REPLICA: replica,
        ATTEMPT: str(attempt),
        KEPT: msgspec.json.encode(kept_of(service)).decode(),
    }


def kept_of(service: Service) -> Kept:
    """What is kept of a service."""
    published = tuple(dict.fromkeys(port.target for port in service.ports if port.protocol != "udp"))
    return Kept(
        port=next(iter(target_ports(service)), None),
        ports=published,
        listens=bool(published),
        ready=service.ready,
        pre_stop=service.pre_stop,
        post_start=service.post_start,
    )


def clone_body(
    container: dict[str, Any],
    replica: ReplicaId,
    restart: Restart | None,
    endpoints: dict[str, dict[str, Any]],
    *,
    attempt: int,
    number: int,
) -> dict[str, Any]:
    """The body of a container like one that Compose made: the same bytes, none of its published ports.

    `restart` is the policy that it had: it was taken away when the container was stopped.
    """
    config, host = dict(container["Config"]), dict(container["HostConfig"])
    config["Labels"] = {
        **(config.get("Labels") or {}),
        f"{COMPOSE}container-number": str(number),
        REPLICA: replica,
        ATTEMPT: str(attempt),
        KEPT: msgspec.json.encode(kept_by(container)).decode(),
    }
    config.pop("Hostname", None)
    config["Image"] = container["Image"]  # its name may stand for other bytes by now
    host["PortBindings"] = {}
    if restart is not None:
        host["RestartPolicy"] = restart_policy(restart)
    first = dict(list(endpoints.items())[:1])
    return {**config, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": first}}


def clone_endpoints(
    container: dict[str, Any], known: Iterable[dict[str, Any]], fronts: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The networks of a container that Compose made, by name. The first is joined when the clone is made.

    The names of a service are with its front (`fronts`, by service) where it has one, and links to its containers lead
    there, since those that they were made for have ended. `known`: containers of the project.
    """
    names = {_name(one): _name(fronts[service]) for one in known if (service := _service(one)) in fronts}
    service = _service(container)
    mode = container["HostConfig"].get("NetworkMode")
    joined = container["NetworkSettings"]["Networks"]
    endpoints: dict[str, dict[str, Any]] = {}
    for network in sorted(joined, key=lambda name: name != mode):
        pairs = [link.partition(":") for link in (joined[network] or {}).get("Links") or ()]
        links = [f"{names.get(target, target)}:{alias or target}" for target, _, alias in pairs]
        endpoints[network] = ({} if service in fronts else {"Aliases": [service]}) | ({"Links": links} if links else {})
    return endpoints


def _name(container: dict[str, Any]) -> str:
    return str(container["Name"]).lstrip("/")


def _service(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"].get(f"{COMPOSE}service", ""))


def create_body(
    revision: Revision, replica: ReplicaId, placement: Placement, *, attempt: int, number: int, image: str
) -> dict[str, Any]:
    """The body of `POST /containers/create`."""
    service, fields = revision.service, revision.service.fields
    body: dict[str, Any] = {
        "Image": image,
        "Labels": labels(placement.project, revision, replica, attempt, number),
        "Env": environment(service, placement),
        "ExposedPorts": {f"{port}/tcp": {} for port in target_ports(service)},
        "HostConfig": host_config(service, placement),
    }
    for name, key in _BODY.items():
        if fields.get(name) is not None:
            body[key] = fields[name]
    if service.entrypoint is not None:
        body["Entrypoint"] = list(service.entrypoint)
    if service.command is not None:
        body["Cmd"] = list(service.command)
    health = healthcheck(fields.get("healthcheck"))
    if health:
        body["Healthcheck"] = health
    first = next(iter(network_endpoints(service, placement).items()), None)
    if first:
        body["NetworkingConfig"] = {"EndpointsConfig": {first[0]: first[1]}}
    return body


def host_config(service: Service, placement: Placement) -> dict[str, Any]:
    """The `HostConfig` part of a create body."""
    fields = service.fields
    config: dict[str, Any] = {key: fields[name] for name, key in _HOST.items() if fields.get(name) is not None}
    config |= resources(fields)
    config["RestartPolicy"] = restart_policy(service.restart)
    config["NetworkMode"] = network_mode(service, placement)
    sources = [(entry, _source(entry, placement)) for entry in fields.get("volumes") or []]
    config["Mounts"] = [mount(entry, source) for entry, source in sources if not is_bind(entry, source)]
    if binds := [bind(entry, source) for entry, source in sources if is_bind(entry, source)]:
        config["Binds"] = binds
    config["Mounts"] += [
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True} for source, target in placement.files
    ]
    if gives_flags(service, placement):
        config["Mounts"] += [{"Type": "bind", "Source": placement.inside, "Target": _INSIDE, "ReadOnly": True}]
    hosts = [entry.replace("=", ":", 1) for entry in fields.get("extra_hosts") or []]
    named = {entry.split(":", 1)[0] for entry in hosts}
    if config["NetworkMode"] != "host":
        hosts += [f"{name}:{address}" for name, address in placement.hosts.items() if name not in named]
    if hosts:
        config["ExtraHosts"] = hosts
    if fields.get("devices"):
        config["Devices"] = [
            {
                "PathOnHost": entry["source"],
                "PathInContainer": entry.get("target") or entry["source"],
                "CgroupPermissions": entry.get("permissions") or "rwm",
            }
            for entry in fields["devices"]
        ]
    if fields.get("logging"):
        logging = fields["logging"]
        config["LogConfig"] = {"Type": logging.get("driver") or "", "Config": logging.get("options") or {}}
    if fields.get("tmpfs"):
        entries = fields["tmpfs"] if isinstance(fields["tmpfs"], list) else [fields["tmpfs"]]
        config["Tmpfs"] = dict((*entry.split(":", 1), "")[:2] for entry in entries)
    if fields.get("shm_size") is not None:
        config["ShmSize"] = int(fields["shm_size"])
    if fields.get("volumes_from"):
        config["VolumesFrom"] = fields["volumes_from"]
    if placement.publish_loopback:
        config["PortBindings"] = {
            f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}] for port in target_ports(service)
        }
    return config


def environment(service: Service, placement: Placement) -> list[str]:
    """`NAME=value` entries."""
    given = {FLAGS: f"unix:{_INSIDE}/flags.sock#{placement.project.name}"} if gives_flags(service, placement) else {}
    return [f"{name}={value}" for name, value in (given | service.environment).items()]


def gives_flags(service: Service, placement: Placement) -> bool:
    """Whether the flags come along. A service that says itself where it finds them is left to it."""
    taken = {entry["target"].rstrip("/") for entry in service.fields.get("volumes") or []}
    return bool(placement.inside) and FLAGS not in service.environment and _INSIDE not in taken


def target_ports(service: Service) -> tuple[int, ...]:
    """Container ports that the file names: targets of published ports, then `expose`."""
    named = [port.target for port in service.ports if port.protocol != "udp"]
    for entry in service.fields.get("expose") or []:
        first, _, protocol = str(entry).partition("/")
        if protocol in ("", "tcp") and first.isdigit():
            named.append(int(first))
    return tuple(dict.fromkeys(named))


_TIMES = (
    ("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod"),
    ("start_interval", "StartInterval"),
)  # fmt: skip


def healthcheck(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    """Compose's `healthcheck` with durations in nanoseconds."""
    if not entry:
        return None
    if entry.get("disable") or entry.get("test") == ["NONE"]:
        return {"Test": ["NONE"]}
    body: dict[str, Any] = {"Test": entry["test"]} if entry.get("test") else {}
    for name, key in _TIMES:
        if entry.get(name):
            body[key] = round(parse_span(str(entry[name])) * 1e9)
    if entry.get("retries") is not None:
        body["Retries"] = int(entry["retries"])
    return body


def network_mode(service: Service, placement: Placement) -> str:
    """`HostConfig.NetworkMode`: as the file says, else the service's first network."""
    mode = service.fields.get("network_mode")
    if mode:
        return str(mode)
    key, settings = next(iter((service.fields.get("networks") or {"default": None}).items()))
    return network_name(key, settings, placement)


def network_name(key: str, settings: dict[str, Any] | None, placement: Placement) -> str:
    """The engine's name of a network of a service."""
    return str((settings or {}).get("name") or placement.network(key))


def network_endpoints(service: Service, placement: Placement) -> dict[str, dict[str, Any]]:
    """The engine's network name → endpoint settings, in the file's order of priority.

    The service's own name is always an alias. Where the router answers to it, the hosts file comes first.
    """
    if service.fields.get("network_mode"):
        return {}
    endpoints: dict[str, dict[str, Any]] = {}
    entries = service.fields.get("networks") or {"default": None}
    for key, settings in sorted(entries.items(), key=lambda item: -int((item[1] or {}).get("priority") or 0)):
        settings = settings or {}
        address = {
            "IPv4Address": settings.get("ipv4_address"),
            "IPv6Address": settings.get("ipv6_address"),
            "LinkLocalIPs": settings.get("link_local_ips"),
        }
        endpoint: dict[str, Any] = {}
        if service.name not in placement.fronted:  # else its front has its names
            endpoint["Aliases"] = [service.name, *(settings.get("aliases") or [])]
        ipam = {name: value for name, value in address.items() if value}
        if ipam:
            endpoint["IPAMConfig"] = ipam
        options = dict(settings.get("driver_opts") or {})
        options |= {_INTERFACE: settings["interface_name"]} if settings.get("interface_name") else {}
        if options:
            endpoint["DriverOpts"] = options
        for field, name in (("mac_address", "MacAddress"), ("gw_priority", "GwPriority")):
            endpoint |= {name: settings[field]} if settings.get(field) else {}
        endpoints[network_name(key, settings, placement)] = endpoint
    return endpoints


def _source(entry: dict[str, Any], placement: Placement) -> str:
    """What an entry of `volumes` mounts, as the engine knows it; "": it makes a volume for this container alone."""
    source = str(entry.get("source") or "")
    kind = entry.get("type", "volume")
    if kind == "bind":
        return source if source.startswith("/") else f"{placement.project.folder}/{source.removeprefix('./')}"
    if kind == "volume" and source:
        return str(entry.get("name") or placement.volume(source))
    return source
