"""What the file calls volumes and networks otherwise than their keys is part of each service that uses them.

A replica is made with the name, so another name is another replica; the project's own entry alone would not tell.
"""

from typing import Any


def with_names(fields: dict[str, Any], project: str) -> dict[str, Any]:
    """The fields of a project, with `name` in the `volumes` and `networks` of its services where it was chosen."""
    volumes, networks = _chosen(fields, "volumes", project), _chosen(fields, "networks", project)
    services = {key: _named(service, volumes, networks) for key, service in fields["services"].items()}
    return {**fields, "services": services}


def _chosen(fields: dict[str, Any], kind: str, project: str) -> dict[str, str]:
    names = {key: (entry or {}).get("name") for key, entry in (fields.get(kind) or {}).items()}
    return {key: name for key, name in names.items() if name and name != f"{project}_{key}"}


def _named(service: dict[str, Any], volumes: dict[str, str], networks: dict[str, str]) -> dict[str, Any]:
    found = dict(service)
    if service.get("volumes"):
        found["volumes"] = [
            {**entry, "name": volumes[entry["source"]]}
            if entry["type"] == "volume" and entry.get("source") in volumes
            else entry
            for entry in service["volumes"]
        ]
    if service.get("networks"):
        found["networks"] = {
            key: {**(settings or {}), "name": networks[key]} if key in networks else settings
            for key, settings in service["networks"].items()
        }
    return found
