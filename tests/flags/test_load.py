"""Many flags, many clients, rude clients: nobody is held up, nobody sees an error."""

import json
import socket
import threading
import time

import pytest

from midair.flags import wire
from midair.flags.definition import FlagSet
from midair.flags.engine import paced
from midair.flags.plain import lines
from midair.flags.read import build
from midair.flagserver.hub import Served
from midair.openfeature import Flags
from midair.openfeature.http import Address
from midair.openfeature.keeper import Keeper, breathe

REQUEST = b"GET /flags/v1/stream?set=shop HTTP/1.1\r\nHost: localhost\r\n\r\n"


def many(number, percent=10):
    rule = {"fractional": [["on", percent], ["off", 100 - percent]]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": rule}
    return {"flags": {f"flag-{one}": flag for one in range(number)}, "x-midair": {"fractional": "v3"}}


class Listener:
    """A client that only listens."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(REQUEST)
        self.socket.settimeout(10)
        self.rest = b""

    def sets(self, number):
        """Waits for so many complete sets."""
        while self.rest.count(b"\n.\n") < number:
            data = self.socket.recv(1 << 16)
            assert data, "the server hung up"
            self.rest += data
        return True


@pytest.mark.slow
def test_a_change_reaches_a_thousand_clients(server, button):
    server.publish(button(1))
    listeners = [Listener(server.port) for _ in range(1000)]
    assert all(listener.sets(1) for listener in listeners)
    server.publish(button(2))
    assert all(listener.sets(2) for listener in listeners)
    for listener in listeners:
        listener.socket.close()


def test_clients_that_stall_or_vanish_cost_the_others_nothing(server, button, eventually):
    server.publish(many(2000))
    stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for one in stalled:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.sendall(REQUEST)  # and never reads
    for _ in range(50):
        vanishing = socket.create_connection(("127.0.0.1", server.port))
        vanishing.sendall(REQUEST[:20])
        vanishing.close()
    for garbage in (
        b"\0" * 5000,
        b"GET /flags/v1/stream?set=\xff HTTP/9.9\r\n\r\n",
        b"POST /ofrep/v1 HTTP/1.1\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as rude:
            rude.sendall(garbage)
    with Flags(server.url, "shop", cache=False) as flags:
        for percent in (20, 30, 40):
            server.publish(many(2000, percent))
            version = server.hub.find("shop").version
            eventually(lambda version=version: flags.version == version, "the change")
    for one in stalled:
        one.close()
    server.publish(many(1))
    eventually(lambda: server.hub.readers == 0, "the server to let them go")


@pytest.mark.slow
def test_exchanging_20_000_flags_holds_no_evaluation_up():
    keeper = Keeper(Address("http://127.0.0.1:9"), "shop", None, {})
    texts = [
        wire.snapshot({"set": "shop", "version": str(percent), "fractional": "v3"}, lines(build(many(20_000, 10))))
        for percent in (1, 2)
    ]
    changed = json.dumps(many(1, 50)["flags"]["flag-0"]).encode()
    texts[1] = texts[1].replace(texts[1].split(b"\n")[1], b'"flag-0"\t' + changed, 1)
    assembly = wire.Assembly({})

    def load(text):
        for line in paced(text.split(b"\n"), breathe):
            if assembly.take(line):
                keeper.replace(assembly.head, assembly.flags)

    load(texts[0])
    user = {"targetingKey": "user-1"}
    for key in keeper.table.raw:
        keeper.table[key](user)
    kept = keeper.table["flag-1"]
    stalls = []
    for number in (1, 0, 1, 0, 1):
        loading = threading.Thread(target=load, args=(texts[number],))
        longest, last = 0.0, time.process_time()
        loading.start()
        while loading.is_alive():
            keeper.table["flag-2"](user)
            now = time.process_time()
            longest, last = max(longest, now - last), now
        stalls.append(longest)
    assert keeper.table["flag-1"] is kept, "an unchanged flag is reused"
    assert sorted(stalls)[2] <= 0.010, stalls


@pytest.mark.slow
def test_ten_thousand_flags_are_served_in_bulk(server):
    import urllib.request

    server.publish(many(10_000))
    request = urllib.request.Request(
        f"{server.url}/ofrep/v1/evaluate/flags", data=b'{"context":{"targetingKey":"user-1"}}', method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert len(json.load(answer)["flags"]) == 10_000


def test_a_rule_of_a_megabyte_is_served_and_evaluated(server):
    keys = [f"user-{number:06d}-{'x' * 30}" for number in range(25_000)]
    flag = many(1)["flags"]["flag-0"]
    flag["targeting"] = {"if": [{"in": [{"var": "targetingKey"}, keys]}, "on", "off"]}
    server.publish({"flags": {"big": flag}})
    with Flags(server.url, "shop", cache=False, wait=10) as flags:
        assert flags.boolean("big", False, {"targetingKey": keys[-1]}) is True
        assert flags.boolean("big", True, {"targetingKey": "nobody"}) is False


def test_a_broken_set_changes_nothing(server, button):
    from midair.errors import FileRefused

    server.publish(button(100))
    before = server.hub.find("shop")
    broken = button(50)
    broken["flags"]["other"] = {"state": "ON"}
    with pytest.raises(FileRefused):
        server.publish(broken)
    assert server.hub.find("shop") is before


def test_the_same_flags_are_the_same_version():
    first, second = Served("shop", build(many(3))), Served("shop", build(many(3)))
    assert first.version == second.version
    assert first.version != Served("shop", build(many(3, 11))).version
    assert Served("shop", FlagSet()).snapshot.endswith(b"\n.\n")
