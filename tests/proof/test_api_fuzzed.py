"""The API is asked everything that its own description allows, and much that it does not. It never breaks."""

import asyncio
import json
import socket
import threading
import urllib.request
from typing import ClassVar

import jsonschema_rs
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks
from tests.engine.conftest import Site, shop

from midair.api.app import ENDPOINTS, make_app
from midair.api.openapi import describe

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
DOCUMENT = json.loads(describe(ENDPOINTS))


@schemathesis.serializer("application/vnd.midair.frames")
def frames(context, value):
    """Frames of `exec` and `run`: any bytes may be sent in their place."""
    return value if isinstance(value, bytes) else repr(value).encode()


OPERATIONS = [one.ok() for one in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
FILES = ("/v1/backup", "/v1/restore")


class Control:
    """Takes note of what the API would do with its daemon."""

    def stop(self):
        pass

    async def restart(self, python):
        pass

    settings: ClassVar = {}

    async def change_settings(self, wanted):
        pass


class Served:
    """The API over fakes, on a port, in a thread of its own. Has one project, which runs."""

    def __init__(self, home):
        self.site, self.home = Site(home), home
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._begun.wait(20)

    async def _serve(self):
        engine = await self.site.begin()
        await self.site.ended(await self.site.up(shop()))
        config = uvicorn.Config(make_app(engine, Control()), http="h11", ws="none", lifespan="off", log_config=None)
        self._server = uvicorn.Server(config)
        self._begun.set()
        await self._server.serve(sockets=[self._socket])
        self.living = self.site.living()
        await self.site.end()

    def close(self):
        """End it."""
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("api"))
    yield made
    made.close()
    assert not made._thread.is_alive()


SETTINGS = settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None,
    derandomize=True,
)  # fmt: skip


def can_be_wrong(operation):
    """Whether anything is sent that could contradict the description."""
    about = operation.definition.raw
    return "requestBody" in about or any(one["in"] == "query" for one in about["parameters"])


def events_of(operation):
    """The schema of each event that it may stream, by name."""
    contents = [one.get("content", {}) for one in operation["responses"].values()]
    streams = [one["text/event-stream"]["schema"]["oneOf"] for one in contents if "text/event-stream" in one]
    events = [event["properties"] for event in (streams[0] if streams else ())]
    return {event["event"]["const"]: event["data"]["contentSchema"] for event in events}


def parsed(text):
    """The events of a stream: name, id and data of each."""
    assert text.endswith("\n\n") or not text, "the last event has no end"
    for block in text.split("\n\n")[:-1]:
        if block != ": alive":
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            assert fields.keys() <= {"id", "event", "data"}, block
            yield fields["event"], fields.get("id"), json.loads(fields["data"])


def check_events(text, schemas):
    """Each event of a stream is one that the description has. Returns their names."""
    names = []
    for name, _, data in parsed(text):
        assert name in schemas, f"nothing is said of an event {name!r}"
        jsonschema_rs.validate({**schemas[name], "components": DOCUMENT["components"]}, data)
        names.append(name)
    return names


def streamed_events_conform(ctx, response, case):
    """A check, like those of schemathesis: of every event in an answer that is a stream."""
    if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
        names = check_events(response.text, events_of(case.operation.definition.raw))
        if case.method == "POST":
            assert names[-1] in ("accepted", "error"), names
            assert set(names[:-1]) <= {"progress"}, names


FOLLOWED = {"/v1/events": "event", "/v1/projects/{project}/events": "event", "/v1/projects/{project}/logs": "line"}


@pytest.mark.parametrize("path", FOLLOWED)
def test_what_is_followed_is_as_described_too(path, served):
    log = served.home / "log"
    log.write_text("".join(f"line {number}\n" for number in range(50)))
    served.site.machine.log_files = {"web": (("web/7f3a91c2/0", str(log)),)}
    url = f"http://127.0.0.1:{served.port}{path.format(project='shop')}?follow=true"
    url += "" if FOLLOWED[path] == "line" else "&after=0"
    text = ""
    with urllib.request.urlopen(url, timeout=10) as answer:
        while text.count("\n\n") < 5:
            text += answer.readline().decode()
    names = check_events(text.rpartition("\n\n")[0] + "\n\n", events_of(DOCUMENT["paths"][path]["get"]))
    assert FOLLOWED[path] in names


CASES = [(one, GenerationMode.POSITIVE) for one in OPERATIONS]
CASES += [(one, GenerationMode.NEGATIVE) for one in OPERATIONS if can_be_wrong(one)]


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=[f"{one.label} {mode.value}" for one, mode in CASES])
def test_nothing_that_is_sent_breaks_it(operation, mode, served):
    streams = bool(events_of(operation.definition.raw))
    wanted = CHECKS
    if streams:
        wanted = [*(one for one in CHECKS if one is not checks.response_schema_conformance), streamed_events_conform]

    @SETTINGS
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        if case.path in FILES and isinstance(case.body, dict) and isinstance(case.body.get("path"), str):
            name = case.body["path"].replace("/", "_")
            case.body["path"] = str(served.home / f"file-{name}")  # these write where they are told
        if isinstance(case.query, dict):
            case.query.pop("follow", None)  # an answer that does not end
        if isinstance(case.path_parameters, dict) and len(str(case.path_parameters.get("project"))) % 2:
            case.path_parameters["project"] = "shop"
        wishes = [{"Accept": "application/json"}, {"Accept": "text/event-stream"}] if streams else [{}]
        for headers in wishes:
            case.headers = {**(case.headers or {}), **headers}
            case.call_and_validate(base_url=f"http://127.0.0.1:{served.port}", checks=wanted, timeout=10)

    ask()


def test_an_event_that_is_not_as_described_is_found():
    schemas = events_of(DOCUMENT["paths"]["/v1/events"]["get"])
    good = "event: here\ndata: 3\n\n"
    assert check_events(good, schemas) == ["here"]
    for bad in (
        good.replace("here", "there"), good.replace("3", '"3"'), good.replace("\n\n", "\n"),
        'id: 1\nevent: event\ndata: {"number": 1, "at": 1.0, "project": "shop", "change": "one"}\n\n',
    ):  # fmt: skip
        with pytest.raises((AssertionError, jsonschema_rs.ValidationError)):
            check_events(bad, schemas)


def test_after_all_that_it_is_whole(served):
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/v1/health", timeout=5) as answer:
        assert json.load(answer)["problem"] == ""
