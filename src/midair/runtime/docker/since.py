"""Fields that came with a later version of the engine's API: older engines ignore them without a word. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from midair.model.project import Service

Api = tuple[int, int]


class Since(msgspec.Struct, frozen=True):
    """A field that a service sets, and the first version of the API that has it."""

    path: str
    api: Api
    is_seen: bool  # without it the app sees something else, such as other files


def parse_api(text: str) -> Api:
    """(1, 41) for "1.41"."""
    major, minor = text.split(".")
    return int(major), int(minor)


def refused(service: Service, api: Api) -> list[str]:
    """What the app of a service would not see on an engine of this version, a line each."""
    return [
        f"{service.name}: {since.path} needs an engine with API {_text(since.api)}, and this one has {_text(api)}"
        for since in _fields(service.fields)
        if since.api > api and since.is_seen
    ]


def ignored(service: Service, api: Api) -> list[str]:
    """What has no effect on an engine of this version, a line each."""
    return [
        f"{service.name}: {since.path} has no effect on an engine with API {_text(api)}, before {_text(since.api)}"
        for since in _fields(service.fields)
        if since.api > api and not since.is_seen
    ]


def _text(api: Api) -> str:
    return f"{api[0]}.{api[1]}"


def _fields(fields: dict[str, Any]) -> Iterator[Since]:
    if fields.get("annotations"):
        yield Since("annotations", (1, 43), False)
    if (fields.get("healthcheck") or {}).get("start_interval"):
        yield Since("healthcheck.start_interval", (1, 44), False)
    for name, settings in (fields.get("networks") or {}).items():
        for field, api, is_seen in _OF_NETWORKS:
            if (settings or {}).get(field):
                yield Since(f"networks.{name}.{field}", api, is_seen)
    for entry in fields.get("volumes") or ():
        place = f"volumes.{entry['target']}"
        if (entry.get("volume") or {}).get("subpath"):
            yield Since(f"{place}.volume.subpath", (1, 45), True)
        if entry.get("type") == "image":
            yield Since(f"{place}.type", (1, 48), True)
        if (entry.get("bind") or {}).get("recursive") in ("writable", "readonly"):
            yield Since(f"{place}.bind.recursive", (1, 44), True)


_OF_NETWORKS: tuple[tuple[str, Api, bool], ...] = (
    ("mac_address", (1, 44), True), ("gw_priority", (1, 48), False), ("interface_name", (1, 49), True),
)  # fmt: skip
