"""The description says what the API does, and nothing is left out of it."""

import json

import pytest

from midair.api.app import ENDPOINTS
from midair.api.openapi import describe


@pytest.fixture(scope="module")
def document():
    return json.loads(describe(ENDPOINTS))


def test_every_endpoint_is_described_once(document):
    assert document["openapi"] == "3.1.0"
    described = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    assert sorted(described) == sorted((endpoint.method, endpoint.path) for endpoint in ENDPOINTS)
    names = [endpoint.name for endpoint in ENDPOINTS]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_parameter_of_a_path_is_described(document):
    for path, methods in document["paths"].items():
        wanted = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
        for operation in methods.values():
            assert {one["name"] for one in operation["parameters"] if one["in"] == "path"} == wanted


def test_every_operation_says_what_it_answers_and_how_it_fails(document):
    for methods in document["paths"].values():
        for operation in methods.values():
            (good, bad) = operation["responses"].values()
            assert good["content"]
            assert "application/json" in bad["content"]
            assert operation["summary"]


def test_events_of_streams_are_objects_with_text_as_data(document):
    streams = [
        content["text/event-stream"]["schema"]["oneOf"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        if "text/event-stream" in (content := answer["content"])
    ]
    assert len(streams) > 4
    for events in streams:
        for event in events:
            assert event["required"] == ["event", "data"]
            assert event["properties"]["data"]["type"] == "string"
            assert event["properties"]["data"]["contentSchema"]
    (logs,) = [events for events in streams if events[0]["properties"]["event"] == {"const": "line"}]
    assert logs[0]["properties"]["data"]["contentSchema"] == {"$ref": "#/components/schemas/LogLine"}


def references(value):
    """Every $ref in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
