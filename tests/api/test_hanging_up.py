"""Who hangs up before a change was accepted has taken it back: it is not carried out later, unasked."""

import asyncio
import json
import time

import pytest
from tests.engine.conftest import shop, web

from midair.client.home import SOCKET, connect

from .test_client_and_api import up

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def keeper(client, service):
    """The keeper of a project that is up."""
    up(client, shop())
    return service.engine.keeper("shop")


@pytest.mark.parametrize("headers", [STREAM, {}])
@pytest.mark.parametrize(("what", "ask"), [("down", {}), ("scale", {"replicas": {"web": 0}}), ("forget", {})])
def test_a_change_that_nobody_waits_for_any_more_is_not_accepted(client, service, keeper, what, ask, headers):
    in_loop(service, keeper.accepting.acquire())  # as an up that is being built
    with connect(service.site.home / SOCKET, 10) as line:
        line.sendall(request(f"/v1/projects/shop/{what}", headers, ask))
        until(lambda: waiting(keeper) == 1)
    until(lambda: waiting(keeper) == 0)
    service.loop.call_soon_threadsafe(keeper.accepting.release)
    assert up(client, shop(web("blue"))).id == 2
    assert client.status("shop").services[0].serving == 2


def test_the_client_shows_that_it_waits(client, keeper):
    asked, stream = [], client.transport.stream
    client.transport.stream = lambda method, url, *more: asked.append(url) or stream(method, url, *more)
    client.scale("shop", {"web": 3})
    client.down("shop")
    assert [url.rpartition("/")[2] for url in asked] == ["scale", "down"]


def request(url, headers, ask):
    body = json.dumps(ask)
    lines = [f"POST {url} HTTP/1.1", "Host: midair", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


def waiting(keeper):
    """How many wait until something else was accepted."""
    return len(keeper.accepting._waiters or ())


def in_loop(service, work):
    return asyncio.run_coroutine_threadsafe(work, service.loop).result(10)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
