"""Stock OpenFeature providers, as their makers publish them, against the running server."""

import asyncio
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent

from midair.flags.engine import Table
from midair.flags.plain import lines
from midair.flags.read import build

HERE = Path(__file__).parent
USERS = [EvaluationContext(f"user-{number}", {"country": "DE" if number % 2 else "AT"}) for number in range(60)]


@pytest.fixture(autouse=True)
def _fresh_api():
    yield
    api.shutdown()
    api.clear_providers()


@pytest.fixture
def data(button):
    def static(**variants):
        return {"state": "ENABLED", "variants": variants, "defaultVariant": next(iter(variants))}

    gated = {**static(on=True, off=False), "targeting": {"if": [{"==": [{"var": "country"}, "DE"]}, "on", "off"]}}
    others = {
        "title": static(a="Hello"),
        "limit": static(a=10),
        "rate": static(a=1.0, b=0.5),
        "theme": static(a={"dark": True}),
        "gone": {**static(a="x"), "state": "DISABLED"},
        "german": gated,
        "german-extra": static(on=True, off=False),
    }
    found = button(30, **others)
    found["x-midair"]["flags"] = {"german-extra": {"requires": {"german": "on"}, "owner": "web"}}
    return found


def expected(data, key):
    """What midair itself says, for all users."""
    flags = build(data)
    table = Table(lines(flags), version=flags.fractional, clock=lambda: 0)
    return [table.resolve(key, {**user.attributes, "targetingKey": user.targeting_key}).value for user in USERS]


def check_all_kinds(client, data):
    for key in ("new-button", "german", "german-extra"):
        assert [client.get_boolean_value(key, False, user) for user in USERS] == expected(data, key), key
    assert client.get_string_value("title", "") == "Hello"
    assert client.get_integer_value("limit", 0) == 10
    assert client.get_float_value("rate", 0.0) == 1.0
    assert client.get_object_value("theme", {}) == {"dark": True}
    assert client.get_string_details("gone", "mine").value == "mine"
    assert client.get_string_details("nope", "mine").error_code.value == "FLAG_NOT_FOUND"


def test_our_own_provider(server, data, eventually, tmp_path):
    from midair.openfeature import MidairProvider

    server.publish(data)
    heard = []
    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda event: heard.append(event.flags_changed))
    api.set_provider_and_wait(MidairProvider(server.url, "shop", cache=str(tmp_path / "f")))
    client = api.get_client()
    check_all_kinds(client, data)
    details = client.get_boolean_details("german", False, USERS[1])
    assert (details.variant, details.reason) == ("on", "TARGETING_MATCH")
    assert details.flag_metadata["flagSetId"] == "shop"
    assert client.get_integer_details("title", 5).error_code.value == "TYPE_MISMATCH"
    data["flags"]["title"]["variants"]["a"] = "Bye"
    server.publish(data)
    eventually(lambda: client.get_string_value("title", "") == "Bye", "the change")
    eventually(lambda: ["title"] in heard, "the event")
    seen = []
    for event in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY):
        client.add_handler(event, lambda _, event=event: seen.append(event))
    server.stop()
    eventually(lambda: ProviderEvent.PROVIDER_STALE in seen, "the stale event")
    assert client.get_string_value("title", "") == "Bye"
    del seen[:]
    server.start()
    eventually(lambda: ProviderEvent.PROVIDER_READY in seen, "the ready event")


def test_our_own_provider_without_any_flags_is_an_error_not_a_silent_default():
    from openfeature.exception import ProviderNotReadyError

    from midair.openfeature import MidairProvider

    with pytest.raises(ProviderNotReadyError):
        api.set_provider_and_wait(MidairProvider("http://127.0.0.1:9", "shop", cache=False, wait=0.05))
    details = api.get_client().get_boolean_details("new-button", True)
    assert (details.value, details.error_code.value) == (True, "PROVIDER_NOT_READY")


def test_the_ofrep_provider_for_python(server, data):
    from openfeature.contrib.provider.ofrep import OFREPProvider

    server.publish(data)
    provider = OFREPProvider(server.url)
    api.set_provider_and_wait(provider)
    check_all_kinds(api.get_client(), data)
    data["flags"]["title"]["variants"]["a"] = "Bye"
    server.publish(data)
    assert api.get_client().get_string_value("title", "") == "Bye"
    provider.session.close()


class Sync:
    """`flagd.sync.v1` in a loop and thread of its own."""

    def __init__(self, server):
        from midair.flagserver.sync import SyncServer

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.hub = server.hub
        self.sync = self.run(self.make(SyncServer))
        self.port = int(self.run(self.sync.start("127.0.0.1:0")).rpartition(":")[2])

    async def make(self, kind):
        return kind(self.hub)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def publish(self, data):
        async def put():
            self.hub.publish("shop", build(data))

        self.run(put())

    def stop(self):
        self.run(self.sync.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def sync(server):
    pytest.importorskip("grpc")
    made = Sync(server)
    yield made
    made.stop()


# The stock provider leaves its gRPC threads to the end of the process.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_flagd_provider_in_process(sync, data, eventually):
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    sync.publish(data)
    provider = FlagdProvider(
        host="127.0.0.1", port=sync.port, tls=False, resolver_type=ResolverType.IN_PROCESS, deadline_ms=5000,
        selector="flagSetId=shop",
    )  # fmt: skip
    api.set_provider_and_wait(provider)
    client = api.get_client()
    check_all_kinds(client, data)
    data["flags"]["title"]["variants"]["a"] = "Bye"
    sync.publish(data)
    eventually(lambda: client.get_string_value("title", "") == "Bye", "the change")


def test_sync_answers_a_single_fetch_and_refuses_what_it_does_not_know(sync, data):
    import grpc

    sync.publish(data)
    with grpc.insecure_channel(f"127.0.0.1:{sync.port}") as channel:
        fetch = channel.unary_unary("/flagd.sync.v1.FlagSyncService/FetchAllFlags")
        answer = fetch(b"")
        assert b'"new-button"' in answer
        assert b"x-midair" not in answer
        assert fetch(b"\x18\x01\x08\x01") == answer, "a field of a later version"
        assert sync.hub.report("shop")["new-button"]["uncounted"] is True
        for request, metadata, code in (
            (b"", [("flagd-selector", "flagSetId=nope")], grpc.StatusCode.NOT_FOUND),
            (b"\x12\x01x", [], grpc.StatusCode.NOT_FOUND),
            (b"\x12\x7fx", [], grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                fetch(request, metadata=metadata)
            assert refused.value.code() == code
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/flagd.sync.v1.FlagSyncService/GetMetadata")(b"")
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    """A folder with the stock providers for JavaScript. They must be there where CI is set."""
    must = bool(os.environ.get("CI"))
    if shutil.which("npm") is None:
        assert not must, "npm is needed"
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "package-lock.json", "stock.mjs"):
        shutil.copy(HERE / "javascript" / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        assert not must, done.stderr
        pytest.skip("npm cannot install")
    return folder


def test_the_ofrep_providers_for_javascript(server, data, javascript):
    server.publish(data)
    process = subprocess.Popen(
        ["node", "stock.mjs", server.url], cwd=javascript, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        first = json.loads(process.stdout.readline())
        assert first["server"] == expected(data, "new-button")
        assert first["kinds"] == ["Hello", 10, 1, {"dark": True}, "mine", "FLAG_NOT_FOUND"]
        assert first["web"] == [expected(data, "german")[1], "Hello"]
        data["flags"]["title"]["variants"]["a"] = "Bye"
        server.publish(data)
        assert json.loads(process.stdout.readline()) == {"changed": "Bye"}, "told by an event, without polling"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
