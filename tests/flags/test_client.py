"""The Python client: what it knows, when it learns of changes, and what it does while the server is away."""

import logging
import os
import socket
import subprocess
import sys
import threading

import pytest

from midair.flags import wire
from midair.openfeature import Flags

NOBODY = {"targetingKey": "user-1"}


@pytest.fixture
def connect(tmp_path):
    clients = []

    def make(server, **options):
        options = {"cache": str(tmp_path / "flags"), **options}
        clients.append(Flags(server if isinstance(server, str) else server.url, "shop", **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_change_reaches_the_client(server, connect, button, eventually):
    server.publish(button(0))
    flags = connect(server)
    assert flags.state == "ready"
    assert flags.boolean("new-button", True, NOBODY) is False
    heard = []
    flags.listen(lambda event, keys, message: heard.append((event, keys)))
    server.publish(button(100))
    eventually(lambda: flags.boolean("new-button", False, NOBODY), "the change")
    eventually(lambda: ("changed", ["new-button"]) in heard, "the event")


def test_each_kind_of_value_has_a_call_of_its_own(server, connect, button):
    def static(**variants):
        return {"state": "ENABLED", "variants": variants, "defaultVariant": next(iter(variants))}

    others = {
        "title": static(a="Hello"),
        "limit": static(a=10),
        "rate": static(a=1, b=0.5),
        "theme": static(a={"dark": True}),
        "gone": {**static(a="x"), "state": "DISABLED"},
    }
    server.publish(button(100, **others))
    flags = connect(server)
    assert flags.string("title", "") == "Hello"
    assert flags.integer("limit", 0) == 10
    assert flags.float("rate", 0.0) == 1.0
    assert flags.object("theme", None) == {"dark": True}
    assert flags.string("gone", "mine") == "mine"
    details = flags.details("new-button", False, NOBODY, bool)
    assert (details.value, details.variant, details.reason) == (True, "on", "TARGETING_MATCH")
    assert details.metadata["flagSetId"] == "shop"
    assert flags.details("limit", "", {}, str).code == "TYPE_MISMATCH"
    assert flags.boolean("limit", True) is True
    assert flags.details("nope", 1, {}, int).code == "FLAG_NOT_FOUND"


def test_before_the_first_set_the_reason_says_so_and_is_logged(connect, caplog):
    flags = connect("http://127.0.0.1:9", wait=0.05, cache=False)
    with caplog.at_level(logging.WARNING):
        details = flags.details("new-button", False, NOBODY, bool)
        assert flags.boolean("new-button", True, NOBODY) is True
    assert (details.reason, details.code) == ("NOT_LOADED", "PROVIDER_NOT_READY")
    assert [record.getMessage() for record in caplog.records] == [
        'flag "new-button" gave its default: no flags were loaded yet'
    ]
    assert flags.keeper.misses == {("new-button", "PROVIDER_NOT_READY"): 2}


def test_the_last_good_set_survives_server_and_program(server, connect, button, eventually):
    server.publish(button(100))
    flags = connect(server)
    eventually(lambda: flags.boolean("new-button", False, NOBODY), "the flag")
    flags.close()
    server.stop()
    again = connect(server.url, wait=0.05)
    assert again.boolean("new-button", False, NOBODY) is True
    assert again.version == flags.version
    eventually(lambda: again.state == "stale", "the state")


def test_a_torn_file_on_disk_is_no_set(connect, tmp_path):
    (tmp_path / "flags").write_bytes(b'{"set":"shop","version":"1","fractional":"v3","full":true}\n"a"\t{"st')
    flags = connect("http://127.0.0.1:9", wait=0.05)
    assert flags.details("a", False, {}, bool).reason == "NOT_LOADED"


def test_a_server_that_is_killed_and_comes_back_is_not_noticed_by_those_who_ask(server, connect, button, eventually):
    server.publish(button(100))
    flags = connect(server)
    wrong, asked, enough = [], [0], threading.Event()

    def ask():
        while not enough.is_set():
            found = flags.details("new-button", False, NOBODY, bool)
            asked[0] += 1
            if found.value is not True or found.code:
                wrong.append(found)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(3):
        heard = flags.keeper.heard
        server.stop()
        server.start()
        eventually(lambda heard=heard: flags.keeper.heard > heard, "the client to come back")
    server.publish(button(99))
    eventually(lambda: flags.version == server.hub.find("shop").version, "the next change")
    enough.set()
    asking.join()
    assert not wrong
    assert asked[0] > 1000


def test_a_server_that_falls_silent_is_noticed(connect, eventually):
    listening = socket.create_server(("127.0.0.1", 0))
    head = {"set": "shop", "version": "1", "fractional": "v3", "metadata": {}, "beat": 0.05}
    said = wire.snapshot(head, {"a": b'{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}'})
    held = []

    def answer_once():
        held.append(listening.accept()[0])
        listening.close()
        held[0].recv(4096)
        held[0].sendall(b"HTTP/1.1 200 OK\r\n\r\n" + said)

    answering = threading.Thread(target=answer_once)
    answering.start()
    flags = connect(f"http://127.0.0.1:{listening.getsockname()[1]}")
    assert flags.state == "ready"
    eventually(lambda: flags.state == "stale", "the state")
    assert flags.boolean("a", False) is True
    assert flags.age > 0.05
    answering.join()
    held[0].close()


def test_a_wrong_token_is_an_error_and_a_right_one_is_not(serve, connect, button, eventually):
    server = serve(tokens={"right": "shop"})
    server.publish(button(100))
    refused = connect(server, token="wrong", wait=0.05, cache=False)
    eventually(lambda: refused.state == "error", "the state")
    assert "401" in refused.keeper.problem
    assert connect(server, token="right").boolean("new-button", False, NOBODY) is True


def test_exposures_flow_back_in_batches(server, connect, button, eventually):
    server.publish(button(100))
    flags = connect(server, count_every=0.05)
    for _ in range(500):
        flags.boolean("new-button", False, NOBODY)
    flags.boolean("nope", False)
    total = lambda: server.hub.exposures.get(("shop", "new-button", "on"))  # noqa: E731
    eventually(lambda: total() == 500, "the first batch")
    server.publish(button(99))
    eventually(lambda: flags.version == server.hub.find("shop").version, "the change")
    for _ in range(100):
        flags.boolean("new-button", False, NOBODY)
    eventually(lambda: total() == 600, "the second batch")
    assert server.hub.misses[("shop", "nope", "FLAG_NOT_FOUND")] == 1
    flags.boolean("new-button", False, NOBODY)
    flags.close()
    assert total() == 601


def test_exposures_in_flight_are_not_sent_again(server, connect, button):
    server.publish(button(100))
    flags = connect(server, count_every=3600)
    flags.boolean("new-button", False, NOBODY)
    counted, count = threading.Event(), server.hub.count

    def count_slowly(*batch):
        count(*batch)
        counted.set()
        threading.Event().wait(0.3)  # the answer is on its way when the client is closed

    server.hub.count = count_slowly
    sending = threading.Thread(target=flags.keeper.flush)
    sending.start()
    assert counted.wait(10)
    flags.close()
    sending.join()
    assert server.hub.exposures["shop", "new-button", "on"] == 1


CHILD = """
import os, sys, time
from midair.flags import wire
from midair.openfeature import Flags
flags = Flags(sys.argv[1], "shop", cache=False)
user = {"targetingKey": "user-1"}
assert flags.boolean("new-button", True, user) is False
if os.fork() == 0:
    if os.fork() == 0:
        who = "grandchild"
    else:
        who = "child"
else:
    who = "parent"
say = lambda *words: os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # in one piece
say(who)
deadline = time.monotonic() + 15
while not flags.boolean("new-button", False, user) and time.monotonic() < deadline:
    time.sleep(0.005)
say(who, "sees", flags.boolean("new-button", False, user), time.time())
os._exit(0) if who != "parent" else os.wait()
"""


def test_forked_children_see_a_change_within_a_second(server, button):
    import time

    server.publish(button(0))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert {process.stdout.readline().strip() for _ in range(3)} == {"parent", "child", "grandchild"}
    changed = time.time()
    server.publish(button(100))
    lines = [process.stdout.readline().split() for _ in range(3)]
    process.wait(20)
    process.stdout.close()
    assert {line[0] for line in lines} == {"parent", "child", "grandchild"}
    for who, _, seen, at in lines:
        assert seen == "True", who
        assert float(at) - changed < 1.0, f"{who} took {float(at) - changed:.2f} s"


LIGHT = """
import sys, time
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4
before = time.process_time(), resident()
exec(sys.argv[1])
print(time.process_time() - before[0], resident() - before[1])
print(*sys.modules)
"""


def test_importing_the_client_is_light(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)  # compiled once, as in an installed package

    def run(what):
        command = [sys.executable, "-c", LIGHT, what]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        figures, modules = done.stdout.splitlines()
        return [float(figure) for figure in figures.split()], set(modules.split())

    ours = [run("import midair.openfeature") for _ in range(8)]
    least = [run("import json, socket, threading") for _ in range(8)]
    heavy = {"openfeature", "msgspec", "asyncio", "http", "ssl", "logging", "starlette", "grpc", "yaml", "dataclasses"}
    assert not ours[0][1] & heavy
    seconds, kib = (min(figures[column] for figures, _ in ours) for column in (0, 1))
    # On a machine that is busy or slow: beside the parts of Python that any such client needs.
    assert seconds <= max(0.020, 2 * min(figures[0] for figures, _ in least))
    assert kib - run("pass")[0][1] <= 3 * 1024


def test_a_bad_address_is_refused_at_once():
    with pytest.raises(ValueError, match="should begin with http:, https: or unix:"):
        Flags("ftp://example.com", "shop")
