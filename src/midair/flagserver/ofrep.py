"""OFREP 0.3.0: evaluation over HTTP for every language, one flag or all of them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from midair.flags.plain import encode
from midair.flags.rule import ABSENT, FLAG_NOT_FOUND, Outcome
from midair.flagserver.access import Access
from midair.flagserver.hub import Hub, Served, UnknownSet

LARGEST_BODY = 1024 * 1024
INACTIVITY_S = 120


class BadRequest(Exception):
    """The request cannot be evaluated: the OFREP error code and why."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Ofrep:
    """The two evaluation endpoints over the sets of a hub."""

    def __init__(self, hub: Hub, access: Access) -> None:
        self.hub = hub
        self.access = access

    def served(self, request: Request) -> Served:
        selector = request.headers.get("flagd-selector") or request.query_params.get("selector", "")
        try:
            return self.access.find(self.hub, selector)
        except UnknownSet as unknown:
            hint = "; name one with ?selector=NAME or the header flagd-selector" if unknown.names else ""
            raise BadRequest("GENERAL", self.access.explained(unknown, request) + hint, 404) from None

    async def one(self, request: Request) -> Response:
        key = request.path_params["key"]
        try:
            served = self.served(request)
            refusal = self.access.refusal(request, served.name)
            if refusal is not None:
                return refusal
            context = await read_context(request)
        except BadRequest as bad:
            return JSONResponse({"key": key, "errorCode": bad.code, "errorDetails": str(bad)}, bad.status)
        outcome = served.table.resolve(key, context)
        if outcome.code is None and outcome.variant is not None:
            self.hub.count(served.name, [(key, outcome.variant, 1)], [])
        answer = describe(served, key, outcome)
        status = 200 if outcome.code is None else 404 if outcome.code == FLAG_NOT_FOUND else 400
        return JSONResponse(answer, status)

    async def all(self, request: Request) -> Response:
        try:
            served = self.served(request)
            refusal = self.access.refusal(request, served.name)
            if refusal is not None:
                return refusal
            context = await read_context(request)
        except BadRequest as bad:
            return JSONResponse({"errorCode": bad.code, "errorDetails": str(bad)}, bad.status)
        table = served.table
        flags = encode([describe(served, key, table.resolve(key, context)) for key in served.raw])
        etag = tag(served, context, flags)
        # A client that was told of a newer set than ours must not be told that nothing changed.
        behind = request.query_params.get("flagConfigEtag", served.version) != served.version
        if not behind and etag in [part.strip() for part in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers={"ETag": etag})
        rest = encode({"metadata": served.metadata, "eventStreams": [self.stream(served)]})
        return Response(b'{"flags":' + flags + b"," + rest[1:], media_type="application/json", headers={"ETag": etag})

    def stream(self, served: Served) -> dict[str, Any]:
        query = {"selector": served.name, "since": served.version, "ticket": self.access.ticket(served.name)}
        uri = "/ofrep/v1/events?" + urlencode({name: value for name, value in query.items() if value})
        return {"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": INACTIVITY_S}


def tag(served: Served, context: Mapping[str, Any], flags: bytes) -> str:
    """Over all that an answer hangs on: the set and its version, the context, and, since rules may go by the clock,
    what they came to."""
    canonical = json.dumps(context, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.blake2b(b"\n".join([served.name.encode(), served.version.encode(), canonical, flags]))
    return f'"{digest.hexdigest()[:32]}"'


async def read_context(request: Request) -> dict[str, Any]:
    """The evaluation context; nothing at all counts as an empty one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise BadRequest("INVALID_CONTEXT", f"the body is larger than {LARGEST_BODY} bytes", 413)
    try:
        data = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as problem:
        raise BadRequest("PARSE_ERROR", f"the body is not JSON: {problem}") from None
    context = data.get("context") if isinstance(data, dict) else data
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise BadRequest("INVALID_CONTEXT", "the context should be an object")
    return context


def describe(served: Served, key: str, outcome: Outcome) -> dict[str, Any]:
    if outcome.code is not None:
        return {"key": key, "errorCode": outcome.code, "errorDetails": outcome.message or ""}
    # Stock providers for Python need a variant in each answer, and a float written as one.
    answer: dict[str, Any] = {"key": key, "reason": outcome.reason, "variant": outcome.variant or ""}
    if outcome.value is not ABSENT:
        answer["value"] = float(outcome.value) if is_float(served, key, outcome.value) else outcome.value
    return {**answer, "metadata": dict(served.table.described(outcome))}


def is_float(served: Served, key: str, value: Any) -> bool:
    """Whether a whole number belongs to a flag of fractions."""
    if value.__class__ is not int:
        return False
    return any(other.__class__ is float for other in served.flags.flags[key]["variants"].values())
