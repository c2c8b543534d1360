"""Resources of a service as the engine's `HostConfig` keys: at creation, and for a change in place. Pure."""

from typing import Any

from midair.model.project import Restart

_PLAIN = {
    "cpu_shares": "CpuShares", "cpu_quota": "CpuQuota", "cpu_period": "CpuPeriod", "cpuset": "CpusetCpus",
    "cpu_rt_runtime": "CpuRealtimeRuntime", "cpu_rt_period": "CpuRealtimePeriod", "mem_limit": "Memory",
    "mem_reservation": "MemoryReservation", "memswap_limit": "MemorySwap", "pids_limit": "PidsLimit",
}  # fmt: skip
IN_PLACE = frozenset({*_PLAIN, "cpus", "deploy", "restart"})
_ONCE = {"mem_swappiness": "MemorySwappiness", "oom_kill_disable": "OomKillDisable", "cpu_count": "CpuCount"}
ALL_MEMORY = 2**63 - 4096  # what the kernel shows where there is no limit
_POLICY = {"any": "unless-stopped", "on-failure": "on-failure", "none": "no"}


def resources(fields: dict[str, Any]) -> dict[str, Any]:
    """Everything about resources that a new container gets."""
    found = changeable(fields)
    found |= {key: _number(fields[name]) for name, key in _ONCE.items() if fields.get(name) is not None}
    if fields.get("ulimits"):
        found["Ulimits"] = [ulimit(name, value) for name, value in fields["ulimits"].items()]
    if fields.get("blkio_config"):
        found |= blkio(fields["blkio_config"])
    requests = devices(fields)
    if requests:
        found["DeviceRequests"] = requests
    return found


def changeable(fields: dict[str, Any]) -> dict[str, Any]:
    """What `POST /containers/{id}/update` can change while the container runs."""
    found = {key: _number(fields[name]) for name, key in _PLAIN.items() if fields.get(name) is not None}
    limits = ((fields.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    reserved = ((fields.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    cpus = limits.get("cpus") or fields.get("cpus")
    if cpus:
        found["NanoCpus"] = round(float(cpus) * 1e9)
    if limits.get("memory"):
        found["Memory"] = int(limits["memory"])
    if limits.get("pids"):
        found["PidsLimit"] = int(limits["pids"])
    if reserved.get("memory"):
        found["MemoryReservation"] = int(reserved["memory"])
    return found


def update_body(fields: dict[str, Any], restart: Restart, now: dict[str, Any], cpus: int) -> dict[str, Any]:
    """The body of an update in place of a container whose `HostConfig` is `now`, on an engine with `cpus`.

    A limit that is not named any more is taken away. The engine keeps a memory limit and its swap limit in step;
    naming both avoids the refusal of a memory limit above the old swap limit.
    """
    wanted = changeable(fields)
    body: dict[str, Any] = {**wanted, "RestartPolicy": restart_policy(restart)}
    for key, most in lifted(wanted, cpus).items():
        if now.get(key) not in (0, -1, None, most):
            body[key] = most
    if "Memory" in body and "MemorySwap" not in wanted:
        body["MemorySwap"] = min(body["Memory"] * 2, ALL_MEMORY)
    return body


def lifted(wanted: dict[str, Any], cpus: int) -> dict[str, Any]:
    """Limits that are not wanted, each with the value that stands for none: for most the engine ignores a zero."""
    values = {
        "NanoCpus": cpus * 10**9,
        "Memory": ALL_MEMORY,
        "MemoryReservation": wanted.get("Memory", ALL_MEMORY),
        "PidsLimit": -1,
    }
    return {key: value for key, value in values.items() if key not in wanted}


def restart_policy(restart: Restart) -> dict[str, Any]:
    """The engine restarts a crashed replica even while the control plane is dead."""
    policy: dict[str, Any] = {"Name": _POLICY[restart.condition]}
    if restart.condition == "on-failure" and restart.max_attempts:
        policy["MaximumRetryCount"] = restart.max_attempts
    return policy


def ulimit(name: str, value: Any) -> dict[str, Any]:
    """One entry of `ulimits`: a number for both, or soft and hard."""
    if isinstance(value, dict):
        return {"Name": name, "Soft": int(value["soft"]), "Hard": int(value["hard"])}
    return {"Name": name, "Soft": int(value), "Hard": int(value)}


def blkio(config: dict[str, Any]) -> dict[str, Any]:
    """`blkio_config` in the engine's words."""
    found: dict[str, Any] = {}
    if config.get("weight"):
        found["BlkioWeight"] = int(config["weight"])
    if config.get("weight_device"):
        found["BlkioWeightDevice"] = [
            {"Path": entry["path"], "Weight": int(entry["weight"])} for entry in config["weight_device"]
        ]
    for name in ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops"):
        if config.get(name):
            key = "Blkio" + "".join(
                part.upper() if part in ("bps", "iops") else part.title() for part in name.split("_")
            ).replace("BPS", "Bps").replace("IOPS", "IOps")
            found[key] = [{"Path": entry["path"], "Rate": int(entry["rate"])} for entry in config[name]]
    return found


def devices(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """`gpus` and reserved devices as requests to the engine."""
    reserved = ((fields.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    entries = [*(fields.get("gpus") or []), *(reserved.get("devices") or [])]
    return [
        {
            "Driver": entry.get("driver", ""),
            "Count": int(entry.get("count", -1)) if str(entry.get("count", "all")) != "all" else -1,
            "DeviceIDs": entry.get("device_ids") or None,
            "Capabilities": [entry.get("capabilities") or ["gpu"]],
            "Options": entry.get("options") or {},
        }
        for entry in entries
    ]


def _number(value: Any) -> Any:
    """Compose's canonical form writes byte counts as text."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
