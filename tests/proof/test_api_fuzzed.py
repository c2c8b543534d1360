"""The API is asked everything that its own description allows, and much that it does not. It never breaks."""

import asyncio
import json
import socket
import threading
import urllib.request

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
OPERATIONS = [one.ok() for one in schemathesis.openapi.from_dict(json.loads(describe(ENDPOINTS))).get_all_operations()]
FILES = ("/v1/backup", "/v1/restore")


class Control:
    """Takes note of what the API would do with its daemon."""

    def stop(self):
        pass

    async def restart(self, python):
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


def streams(operation):
    """Whether it answers with events, whose form a JSON schema cannot say."""
    return "text/event-stream" in json.dumps(operation.definition.raw)


CASES = [(one, GenerationMode.POSITIVE) for one in OPERATIONS]
CASES += [(one, GenerationMode.NEGATIVE) for one in OPERATIONS if can_be_wrong(one)]


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=[f"{one.label} {mode.value}" for one, mode in CASES])
def test_nothing_that_is_sent_breaks_it(operation, mode, served):
    wanted = (
        CHECKS if not streams(operation) else [one for one in CHECKS if one is not checks.response_schema_conformance]
    )

    @SETTINGS
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        if case.path in FILES and isinstance(case.body, dict) and isinstance(case.body.get("path"), str):
            case.body["path"] = str(served.home / "files") + case.body["path"]  # these write where they are told
        if isinstance(case.query, dict):
            case.query.pop("follow", None)  # an answer that does not end
        if isinstance(case.path_parameters, dict) and len(str(case.path_parameters.get("project"))) % 2:
            case.path_parameters["project"] = "shop"
        case.call_and_validate(base_url=f"http://127.0.0.1:{served.port}", checks=wanted, timeout=10)

    ask()


def test_after_all_that_it_is_whole(served):
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/v1/health", timeout=5) as answer:
        assert json.load(answer)["problem"] == ""
