"""The canonical form of a service becomes the typed `Service` that the rest of midair acts on, defaults filled in."""

from typing import Any, Literal

from midair.model import project as model
from midair.model.capabilities import CAPABILITIES, RuntimeName
from midair.model.protocol import likely_protocol
from midair.spec import extension
from midair.spec.building import build_of
from midair.spec.extension import span
from midair.spec.links import links_of, place_of
from midair.spec.paths import join_path
from midair.spec.table.common import signal_name

_HTTP = ("http", "http1", "http/1.1", "ws")
# "unless-stopped" is no word of Swarm's, but Docker Compose hands it to the engine: it is how midair restarts anyway.
_CONDITIONS: dict[str, Literal["any", "on-failure", "none"]] = {"none": "none", "on-failure": "on-failure"}


def service(
    name: str, fields: dict[str, Any], own: dict[str, Any], folder: str, runtime: str,
    secrets: dict[str, Any] | None = None,
) -> model.Service:  # fmt: skip
    """The typed service. `fields` is its canonical form, `own` its `x-midair`, `secrets` those of the whole file."""
    deploy = fields.get("deploy", {})
    ports = _ports(fields, own)
    has_releases = CAPABILITIES[own.get("runtime", runtime)].releases and "build" in fields
    return model.Service(
        name=name,
        runtime=own.get("runtime", runtime),
        replicas=deploy.get("replicas", fields.get("scale", 1)),
        image=fields.get("image"),
        build=build_of(fields, own, folder, secrets or {}),
        entrypoint=_words(fields["entrypoint"]),
        command=_words(fields["command"]),
        environment={key: value for key, value in fields.get("environment", {}).items() if value is not None},
        working_dir=_working_dir(fields, own.get("runtime", runtime), folder),
        user=fields.get("user"),
        ports=ports,
        healthcheck=_healthcheck(fields.get("healthcheck")),
        ready=extension.ready(own),
        update=_update(deploy.get("update_config", {}), "rollback"),
        rollback=_update(deploy.get("rollback_config", {}), "pause"),
        restart=_restart(fields, bool(ports)),
        stop_signal=signal_name(fields.get("stop_signal", "SIGTERM")) or "SIGTERM",
        stop_grace_s=span(fields, "stop_grace_period", 10.0),
        post_start=tuple(_hook(each) for each in fields.get("post_start", ())),
        pre_stop=tuple(_hook(each) for each in fields.get("pre_stop", ())),
        depends_on={key: _dependency(each) for key, each in fields.get("depends_on", {}).items()},
        strategy=extension.strategy(own),
        drain=extension.drain(own),
        hold=extension.hold(own),
        trusted_proxies=tuple(own.get("trusted_proxies", ())),
        build_env=tuple(own["build_env"]) if "build_env" in own else None,
        on_change=extension.on_change(own),
        links=links_of(fields, own, folder) if has_releases else (),
        shared_place=place_of(fields["build"], folder) if has_releases else "",
        writable_volume=any(_is_writable(volume) for volume in fields.get("volumes", ())),
        fields=fields,
        extension=own,
    )


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _working_dir(fields: dict[str, Any], runtime: RuntimeName, folder: str) -> str | None:
    said: str | None = fields.get("working_dir")
    if CAPABILITIES[runtime].releases and "build" not in fields:
        return join_path(folder, said or ".")
    return said


def _ports(fields: dict[str, Any], own: dict[str, Any]) -> tuple[model.Port, ...]:
    found: dict[tuple[str, int, str], model.Port] = {}
    for said in fields.get("ports", ()):
        first = said.get("published", "").split("-")[0]
        if first in ("", "0") or said["protocol"] == "sctp":
            continue
        protocol = _protocol(said, own)
        port = model.Port(port=int(first), target=said["target"], host=said.get("host_ip", ""), protocol=protocol)
        found[port.host, port.port, "udp" if protocol == "udp" else "tcp"] = port
    return tuple(found.values())


def _protocol(said: dict[str, Any], own: dict[str, Any]) -> model.Protocol:
    if said["protocol"] == "udp":
        return "udp"
    if "app_protocol" in said:
        return "http" if said["app_protocol"].lower() in _HTTP else "tcp"
    if own.get("protocol") in ("http", "tcp"):
        return "http" if own["protocol"] == "http" else "tcp"
    return likely_protocol(said["target"])


def _healthcheck(said: dict[str, Any] | None) -> model.HealthCheck | None:
    if said is None or said.get("disable") or not said.get("test") or said["test"][0] == "NONE":
        return None
    return model.HealthCheck(
        test=tuple(said["test"]),
        interval_s=span(said, "interval", 30.0) or 30.0,
        timeout_s=span(said, "timeout", 30.0) or 30.0,
        retries=said.get("retries") or 3,
        start_period_s=span(said, "start_period", 0.0),
        start_interval_s=span(said, "start_interval", 5.0) or 5.0,
    )


def _update(said: dict[str, Any], failure_action: model.FailureAction) -> model.Update:
    return model.Update(
        parallelism=said.get("parallelism", 1),
        delay_s=span(said, "delay", 0.0),
        order=said.get("order"),
        monitor_s=span(said, "monitor", 5.0),
        failure_action=said.get("failure_action", failure_action),
        max_failure_ratio=float(said.get("max_failure_ratio", 0.0)),
    )


def _restart(fields: dict[str, Any], publishes: bool) -> model.Restart:
    policy = fields.get("deploy", {}).get("restart_policy")
    if policy is not None:
        return model.Restart(
            condition=_CONDITIONS.get(policy.get("condition", "any"), "any"),
            delay_s=span(policy, "delay", 0.0),
            max_attempts=policy.get("max_attempts") or None,  # 0: as often as it takes
            window_s=span(policy, "window", 10.0),
        )
    name, _, times = fields.get("restart", "").partition(":")
    if name == "on-failure":
        return model.Restart(condition="on-failure", max_attempts=int(times or 0) or None)
    if name == "no":
        return model.Restart(condition="none")
    return model.Restart(condition="any" if name or publishes else "on-failure")


def _hook(said: dict[str, Any]) -> model.Hook:
    environment = {key: value for key, value in said.get("environment", {}).items() if value is not None}
    return model.Hook(
        command=tuple(said["command"]),
        environment=environment,
        working_dir=said.get("working_dir"),
        user=said.get("user"),
        privileged=said.get("privileged", False),
    )


def _dependency(said: dict[str, Any]) -> model.Dependency:
    return model.Dependency(
        condition=said["condition"], restart=said.get("restart", False), required=said.get("required", True)
    )


def _is_writable(volume: dict[str, Any]) -> bool:
    # A volume without a source is a new one for each replica: nothing is shared.
    return volume["type"] in ("bind", "volume", "cluster") and "source" in volume and not volume.get("read_only", False)
