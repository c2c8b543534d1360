"""The manifest that the OpenFeature CLI pulls to write typed accessors in many languages."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from midair.flags.definition import FlagSet
from midair.flagserver.access import Access
from midair.flagserver.hub import Hub, UnknownSet


def manifest(flags: FlagSet) -> dict[str, Any]:
    return {"flags": [entry(flags, key) for key in flags.flags]}


def entry(flags: FlagSet, key: str) -> dict[str, Any]:
    """`defaultValue` is what code falls back to when nothing can be asked: the default variant's value."""
    flag = flags.flags[key]
    variants = flag["variants"]
    default = variants.get(flag.get("defaultVariant") or "", next(iter(variants.values())))
    kind = kind_of(list(variants.values()))
    described = {"key": key, "type": kind, "defaultValue": float(default) if kind == "float" else default}
    description = flags.extra(key).get("description") or (flag.get("metadata") or {}).get("description")
    return {**described, "description": str(description)} if description else described


def kind_of(values: list[Any]) -> str:
    if any(isinstance(value, bool) for value in values):
        return "boolean"
    if any(isinstance(value, float) for value in values):
        return "float"
    return {int: "integer", str: "string"}.get(type(values[0]), "object")


class Manifest:
    def __init__(self, hub: Hub, access: Access) -> None:
        self.hub = hub
        self.access = access

    async def get(self, request: Request) -> Response:
        try:
            served = self.access.find(self.hub, request.query_params.get("selector", ""))
        except UnknownSet as unknown:
            return JSONResponse({"error": {"message": self.access.explained(unknown, request), "status": 404}}, 404)
        return self.access.refusal(request, served.name) or JSONResponse(
            manifest(served.flags), headers={"X-Manifest-Capabilities": "read"}
        )
