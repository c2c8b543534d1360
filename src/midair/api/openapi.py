"""The OpenAPI description, made from the same types that the API decodes and encodes."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from midair import __version__
from midair.api.endpoint import Endpoint
from midair.view.error import ErrorAnswer
from midair.view.frames import MEDIA_TYPE

Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"


def describe(endpoints: Iterable[Endpoint]) -> bytes:
    """The document as JSON."""
    chosen = tuple(endpoints)
    types = [kind for one in chosen for kind in (one.answer, one.body, *one.events.values()) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, ErrorAnswer], ref_template=_REFERENCE)
    by_type = dict(zip(map(repr, [*types, ErrorAnswer]), schemas, strict=True))
    paths: dict[str, Schema] = {}
    for endpoint in chosen:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, by_type)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "midair",
            "version": __version__,
            "description": inspect.cleandoc(
                """The control plane of midair, on the Unix socket api.sock in its home folder. Moments are seconds
                since 1970 on midair's own clock, spans are seconds. Unknown attributes in answers are to be ignored."""
            ),
        },
        "servers": [{"url": "http://midair"}],
        "paths": paths,
        "components": {"schemas": components},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _operation(endpoint: Endpoint, by_type: dict[str, Schema]) -> Schema:
    operation: Schema = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.query)],
        "responses": {
            str(endpoint.status if endpoint.answer is not None else 200): {
                "description": endpoint.streams or "done",
                "content": _content(endpoint, by_type),
            },
            "default": {
                "description": "an error",
                "content": {"application/json": {"schema": by_type[repr(ErrorAnswer)]}},
            },
        },
    }
    if endpoint.body is not None:
        media = MEDIA_TYPE if endpoint.two_way else "application/json"
        content = {media: {"schema": by_type[repr(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _content(endpoint: Endpoint, by_type: dict[str, Schema]) -> Schema:
    content: Schema = {}
    if endpoint.answer is not None:
        content["application/json"] = {"schema": by_type[repr(endpoint.answer)]}
    if endpoint.two_way:
        content[MEDIA_TYPE] = {"schema": {"type": "string", "format": "binary"}}
    elif endpoint.streams:
        events = {name: by_type[repr(kind)] for name, kind in endpoint.events.items()}
        content["text/event-stream"] = {"schema": {"oneOf": [_event(*event) for event in events.items()]}}
    return content


def _event(name: str, data: Schema) -> Schema:
    """One server-sent event. What its data holds stands as text, so its schema is that of the content."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    properties = {"id": {"type": "string"}, "event": {"const": name}, "data": text}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[msgspec.Struct] | None) -> list[Schema]:
    if query is None:
        return []
    _, components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    properties = components[query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
