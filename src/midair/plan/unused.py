"""Leaves inside lists and settings that nothing on a runtime acts on: the plan names those that are set.

A path is written as in `spec.schema`: "*" is a name of the user's own choice, "[]" an item of a list.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from midair.model.capabilities import RuntimeName
from midair.model.project import Service

_OF_BUILDS = (
    "additional_contexts", "cache_from", "cache_to", "dockerfile_inline", "entitlements", "extra_hosts", "isolation",
    "labels", "network", "no_cache", "no_cache_filter", "platforms", "privileged", "provenance", "pull", "sbom",
    "shm_size", "tags", "ulimits",
)  # fmt: skip

UNUSED: dict[RuntimeName, tuple[str, ...]] = {
    "process": (
        "ports[].name",
        *(f"build.{name}" for name in _OF_BUILDS),
        "post_start[].privileged",
        "pre_stop[].privileged",
    ),
    "docker": (
        "ports[].name",
        "deploy.resources.reservations.pids",
        "volumes[].consistency",
        "build.secrets[].uid",
        "build.secrets[].gid",
        "build.secrets[].mode",
    ),
    "swarm": (),
    "kubernetes": (),
}


def unused(service: Service) -> list[str]:
    """Those that the service sets, each once."""
    return [path for path in UNUSED[service.runtime] if any(_values(service.fields, path))]


def _values(value: Any, path: str) -> Iterator[Any]:
    """Everything that is set at a path."""
    if not path:
        yield value not in (None, False, "", [], {})
        return
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    inner = value.get(name) if isinstance(value, Mapping) else None
    for item in (inner or ()) if head.endswith("[]") else (inner,):
        yield from _values(item, rest)
