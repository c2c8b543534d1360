"""Limits changed in place, and read back: from the engine, and from the kernel where this user may look."""

from pathlib import Path
from typing import Any

import aiodocker

from midair.errors import RuntimeTrouble
from midair.model.project import Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.limits import changeable, lifted, restart_policy, update_body


def differs(container: dict[str, Any], service: Service, cpus: int) -> bool:
    """Is anything that can be changed in place not as the service says?"""
    now, wanted = container["HostConfig"], changeable(service.fields)
    if any(now.get(key) != value for key, value in wanted.items()):
        return True
    if any(now.get(key) not in (0, -1, None, most) for key, most in lifted(wanted, cpus).items()):
        return True
    policy = restart_policy(service.restart)
    return any((now.get("RestartPolicy") or {}).get(key) != value for key, value in policy.items())


async def resize(client: aiodocker.Docker, container: dict[str, Any], service: Service, cpus: int) -> None:
    """Change the limits of a running container. Raises RuntimeTrouble when they are not taken."""
    name = container["Name"].lstrip("/")
    body = update_body(service.fields, service.restart, container["HostConfig"], cpus)
    async with trouble(f'change the limits of container "{name}"'):
        await client._query_json(f"containers/{container['Id']}/update", method="POST", data=body)
        fresh: dict[str, Any] = await client.containers.container(container["Id"]).show()
    if differs(fresh, service, cpus):
        raise RuntimeTrouble(f'cannot change the limits of container "{name}": the engine did not take them')
    wanted = changeable(service.fields).get("Memory")
    seen = kernel_memory(fresh["State"].get("Pid") or 0)
    if wanted and seen is not None and seen != wanted:
        raise RuntimeTrouble(
            f'cannot change the memory limit of container "{name}" to {wanted}: the kernel keeps {seen}',
            hint="lower it in smaller steps, or free memory inside the container first",
        )


def kernel_memory(pid: int) -> int | None:
    """The memory limit in bytes that the kernel holds for a process, or None when it cannot be read here."""
    try:
        groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    except OSError:
        return None
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return _number(Path(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
        if not controllers and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            return _number(Path(f"/sys/fs/cgroup{path}/memory.max"))
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
