"""What follows from silence: default networks, names of resources, dependencies that other fields imply."""

import posixpath
from collections.abc import Iterator
from typing import Any

from midair.spec.node import Node
from midair.spec.problems import Problems, join
from midair.spec.source import Environment
from midair.spec.units import whole_number

_STARTED = {"condition": "service_started", "required": True}
_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")
_RESOURCES = ("networks", "volumes", "secrets", "configs")


def normalize(model: Node, name: str, environment: Environment, problems: Problems) -> Node:
    """The model with its defaults filled in."""
    model = model.with_entry("version", None).with_entry("name", model.make(name))
    services = model.get("services")
    if services is not None:
        each = {
            key: _service(service, environment, join("services", key), problems) for key, service in services.entries()
        }
        model = model.with_entry("services", services.with_value(each))
    if any("default" in service.value["networks"].value for service in _services(model) if service.get("networks")):
        networks = model.get("networks") or model.with_value({})
        if networks.get("default") is None:
            networks = networks.with_entry("default", model.make({}))
        model = model.with_entry("networks", networks)
    for section in _RESOURCES:
        model = _name_resources(model, section, name)
    return model


def prune(model: Node) -> Node:
    """The model without networks, volumes, secrets, configs and models that no service uses."""
    used: dict[str, set[str]] = {section: set() for section in (*_RESOURCES, "models")}
    for service in _services(model):
        for section in ("networks", "models"):
            used[section] |= {name for name, _ in (service.get(section) or service.with_value({})).entries()}
        used["volumes"] |= {source for source in _sources(service.get("volumes"), kind="volume")}
        used["configs"] |= set(_sources(service.get("configs")))
        used["secrets"] |= set(_sources(service.get("secrets"))) | set(_sources(service.find("build", "secrets")))
    for section, names in used.items():
        node = model.get(section)
        if node is not None:
            left = {key: each for key, each in node.entries() if key in names}
            model = model.with_entry(section, node.with_value(left) if left else None)
    return model


def _services(model: Node) -> Iterator[Node]:
    services = model.get("services")
    for _, service in services.entries() if services is not None else ():
        yield service


def _sources(node: Node | None, kind: str | None = None) -> Iterator[str]:
    for item in node.items() if node is not None else ():
        source, type_ = item.get("source"), item.get("type")
        if source is not None and (kind is None or (type_ is not None and type_.value == kind)):
            yield source.value


def _name_resources(model: Node, section: str, project: str) -> Node:
    resources = model.get(section)
    if resources is None:
        return model
    named: dict[str, Node] = {}
    for key, each in resources.entries():
        resource = each if each.is_mapping else each.with_value({})
        external = resource.get("external")
        if resource.get("name") is None:
            is_external = external is not None and external.value is True
            resource = resource.with_entry("name", resource.make(key if is_external else f"{project}_{key}"))
        if section == "networks" and resource.get("ipam") is None:
            resource = resource.with_entry("ipam", resource.make({}))
        named[key] = resource
    return model.with_entry(section, resources.with_value(named))


def _service(service: Node, environment: Environment, path: str, problems: Problems) -> Node:
    for fill in (_build, _ports, _mounts, _devices, _networks, _dependencies):
        service = fill(service)
    service = _resolve(service, ("build", "args"), environment, keep=False)
    service = _resolve(service, ("environment",), environment, keep=True)
    hosts = service.get("extra_hosts")
    if hosts is not None:
        ordered = sorted(hosts.items(), key=lambda node: str(node.value))
        service = service.with_entry("extra_hosts", hosts.with_value(ordered))
    policy = service.get("pull_policy")
    if policy is not None and policy.value == "if_not_present":
        service = service.with_entry("pull_policy", policy.with_value("missing"))
    for field in ("command", "entrypoint"):
        if service.get(field) is None:
            service = service.with_entry(field, service.make(None))
    return _deploy(service, path, problems)


def _build(service: Node) -> Node:
    build = service.get("build")
    if build is None:
        return service
    # As in Compose, what a variable without a value leaves empty is the project's own folder.
    if _is_empty(build.get("context")):
        build = build.with_entry("context", build.make("."))
    if _is_empty(build.get("dockerfile")) and _is_empty(build.get("dockerfile_inline")):
        build = build.with_entry("dockerfile", build.make("Dockerfile"))
    secrets = build.get("secrets")
    if secrets is not None:
        build = build.with_entry("secrets", secrets.with_value([_secret(item) for item in secrets.items()]))
    return service.with_entry("build", build)


def _is_empty(node: Node | None) -> bool:
    return node is None or node.value in (None, "")


def _ports(service: Node) -> Node:
    return _each(service, "ports", lambda port: _default(_default(port, "mode", "ingress"), "protocol", "tcp"))


def _mounts(service: Node) -> Node:
    service = _each(service, "secrets", _secret)
    return _each(service, "volumes", _volume)


def _secret(item: Node) -> Node:
    source = item.get("source")
    return _default(item, "target", f"/run/secrets/{source.value}") if source is not None else item


def _volume(item: Node) -> Node:
    target = item.get("target")
    if target is not None and target.value.startswith("/"):
        item = item.with_entry("target", target.with_value("/" + posixpath.normpath(target.value).lstrip("/")))
    bind = item.get("bind")
    if bind is not None:
        item = item.with_entry("bind", _default(bind, "create_host_path", True))
    return item


def _devices(service: Node) -> Node:
    def target_of(item: Node) -> Node:
        source = item.get("source")
        return _default(item, "target", source.value) if source is not None else item

    return _each(service, "devices", target_of)


def _networks(service: Node) -> Node:
    networks = service.get("networks")
    if service.get("network_mode") is not None or service.get("provider") is not None:
        return service
    if networks is None or not networks.value:
        return service.with_entry("networks", service.make({"default": None}))
    return service


def _dependencies(service: Node) -> Node:
    needed: dict[str, Node] = {}
    for name, each in (service.get("depends_on") or service.with_value({})).entries():
        needed[name] = _default(_default(each, "condition", "service_started"), "required", True)
    for item in (service.get("links") or service.with_value([])).items():
        needed.setdefault(item.value.split(":")[0], item.make({**_STARTED, "restart": True}))
    for field in _NAMESPACES:
        node = service.get(field)
        if node is not None and node.value.startswith("service:"):
            needed.setdefault(node.value.removeprefix("service:"), node.make({**_STARTED, "restart": True}))
    for item in (service.get("volumes_from") or service.with_value([])).items():
        if not item.value.startswith("container:"):
            needed.setdefault(item.value.split(":")[0], item.make(dict(_STARTED)))
    if not needed:
        return service
    return service.with_entry("depends_on", (service.get("depends_on") or service).with_value(needed))


def _resolve(service: Node, path: tuple[str, ...], environment: Environment, *, keep: bool) -> Node:
    found = service.find(*path)
    if found is None:
        return service
    values: dict[str, Node] = {}
    for name, each in found.entries():
        value = environment.get(name) if each.value is None else each.value
        if value is not None or keep:
            values[name] = each.with_value(value)
    if len(path) == 1:
        return service.with_entry(path[0], found.with_value(values))
    return service.with_entry(path[0], service.value[path[0]].with_entry(path[1], found.with_value(values)))


def _deploy(service: Node, path: str, problems: Problems) -> Node:
    deploy = service.get("deploy")
    if deploy is None:
        return service
    scale, replicas = service.get("scale"), deploy.get("replicas")
    if scale is not None and replicas is not None and whole_number(scale.value) != replicas.value:
        message = f"differs from deploy.replicas, {replicas.value}; write one of them"
        problems.add(join(path, "scale"), message, scale)
    if scale is not None:
        deploy = deploy.with_entry("replicas", scale)
    return service.with_entry("deploy", _default(_default(deploy, "resources", {}), "placement", {}))


def _default(node: Node, key: str, value: Any) -> Node:
    return node if node.get(key) is not None or not node.is_mapping else node.with_entry(key, node.make(value))


def _each(service: Node, field: str, change: Any) -> Node:
    items = service.get(field)
    if items is None:
        return service
    return service.with_entry(field, items.with_value([change(item) for item in items.items()]))
