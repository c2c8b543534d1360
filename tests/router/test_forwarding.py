"""Behind proxies: whose word on the client counts, and what the replica is told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.router.place import answer, looped, placed, says

from midair.errors import RouterTrouble
from midair.router.embedded.forwarding import Trust
from midair.router.embedded.head import known_lines, parse_block

TRUST = Trust(("10.0.0.0/8", "2001:db8::/32"))


def told(peer, *lines, trust=TRUST):
    """The headers that a replica gets, by name; twice the same name is a list too long."""
    raw = b"\r\n".join([b"HTTP/1.1", b"Host: web", *(line.encode() for line in lines), b"", b""])
    sender = trust.sender(parse_block(raw, known_lines()), peer.encode())
    fields = [line.split(": ", 1) for line in sender.forward.decode().split("\r\n")[1:]]
    names = [name.lower() for name, _ in fields]
    assert len(names) == len(set(names)), fields
    assert fields[-1][0] == "X-Forwarded-For", "a request id follows"
    return sender.client.decode(), {name.lower(): value for name, value in fields}


@pytest.mark.parametrize(
    ("peer", "chain", "client", "passed"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7", "203.0.113.7, 10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, 10.9.9.9", "203.0.113.7", "203.0.113.7, 10.9.9.9, 10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7", "203.0.113.7, 10.0.0.1"),
        ("10.0.0.1", "10.6.6.6, 203.0.113.7, 10.9.9.9", "203.0.113.7", "203.0.113.7, 10.9.9.9, 10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, unknown", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7", "203.0.113.7, 10.0.0.1"),
        ("10.0.0.1", "[2a00::7]:4711", "2a00::7", "2a00::7, 10.0.0.1"),
        ("10.0.0.1", "::ffff:10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1"),
        ("2001:db8::1", "203.0.113.7", "203.0.113.7", "203.0.113.7, 2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7", "203.0.113.7, ::ffff:10.0.0.1"),
        ("203.0.113.9", "6.6.6.6", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "6.6.6.6, 10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("unknown", "6.6.6.6", "unknown", "unknown"),
    ],
)
def test_client_is_the_last_untrusted_address(peer, chain, client, passed):
    found, headers = told(peer, f"X-Forwarded-For: {chain}", "X-Real-IP: 6.6.6.6")
    assert (found, headers["x-real-ip"], headers["x-forwarded-for"]) == (client, client, passed)


def test_several_lines_of_addresses_are_one_list():
    client, headers = told("10.0.0.1", "X-Forwarded-For: 203.0.113.7", "x-forwarded-for: 10.0.0.2")
    assert (client, headers["x-forwarded-for"]) == ("203.0.113.7", "203.0.113.7, 10.0.0.2, 10.0.0.1")


CLAIMS = (
    "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example", "X-Forwarded-Port: 443", "X-Forwarded-Ssl: on",
    "X-Forwarded-For: 203.0.113.7",
)  # fmt: skip
SPOOFED = ("X_Forwarded_For: 6.6.6.6", "X_Real_IP: 6.6.6.6", "X_Forwarded_Port: 1", "X-Real-IP: 6.6.6.6")


def test_a_trusted_proxys_word_is_kept():
    _, headers = told("10.0.0.1", *CLAIMS, *SPOOFED)
    assert headers == {
        "host": "web", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example", "x-forwarded-port": "443",
        "x-forwarded-ssl": "on", "x-real-ip": "203.0.113.7", "x-forwarded-for": "203.0.113.7, 10.0.0.1",
    }  # fmt: skip


def test_other_peers_words_are_replaced():
    _, headers = told("203.0.113.9", *CLAIMS, *SPOOFED, "Forwarded: for=6.6.6.6;proto=https")
    assert headers == {
        "host": "web", "x-forwarded-proto": "http", "x-forwarded-host": "web", "x-real-ip": "203.0.113.9",
        "x-forwarded-for": "203.0.113.9", "forwarded": 'for=203.0.113.9;host="web";proto=http',
    }  # fmt: skip


def test_forwarded_counts_without_the_others():
    forwarded = 'Forwarded: for=6.6.6.6;proto=http, For="[2a00::7]:47";Proto=https;host="shop.example"'
    client, headers = told("10.0.0.1", forwarded)
    assert (client, headers["x-forwarded-for"]) == ("2a00::7", "2a00::7, 10.0.0.1")
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("https", "shop.example")
    assert headers["forwarded"] == 'for="[2a00::7]";host="shop.example";proto=https, for=10.0.0.1'
    assert told("10.0.0.1", forwarded, "X-Forwarded-For: 203.0.113.7")[0] == "203.0.113.7"


@pytest.mark.parametrize(
    ("chain", "values", "passed"),
    [
        ("203.0.113.7", "http, https", "https"),
        ("203.0.113.7, 10.0.0.2", "https, http", "https"),
        ("203.0.113.7, 10.0.0.2", "http, https, http", "https"),
        ("203.0.113.7, 10.0.0.2", "https", "https"),
        ("203.0.113.7", "HTTPS", "https"),
        ("203.0.113.7", "java script:", "http"),
        ("203.0.113.7", "", "http"),
    ],
)
def test_scheme_is_the_first_trusted_proxys(chain, values, passed):
    _, headers = told("10.0.0.1", f"X-Forwarded-For: {chain}", f"X-Forwarded-Proto: {values}")
    assert headers["x-forwarded-proto"] == passed


def test_a_bad_forwarded_host_is_the_requests():
    assert told("10.0.0.1", "X-Forwarded-Host: a/b")[1]["x-forwarded-host"] == "web"


texts = st.text('0123456789abcdef:.,;= "[]for', max_size=40)


@given(st.sampled_from(["10.0.0.1", "203.0.113.9"]), texts, texts, texts)
def test_any_claim_leaves_one_head_and_one_client(peer, addresses, forwarded, proto):
    lines = (f"X-Forwarded-For: {addresses}", f"Forwarded: {forwarded}", f"X-Forwarded-Proto: {proto}")
    client, headers = told(peer, *lines)
    assert headers["x-forwarded-for"].startswith(client)
    assert headers["x-real-ip"] == client


GET = b"GET / HTTP/1.1\r\nHost: web\r\nX-Forwarded-For: 203.0.113.%d\r\nX-Forwarded-Proto: https\r\n\r\n"


@looped
async def test_a_proxy_in_front_is_believed_from_the_next_request():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        _, before = await client.ask(GET % 7)
        assert b"X-Forwarded-Proto: http\r\n" in before
        await place.route(backend, trusted_proxies=("127.0.0.0/8",))
        _, after = await client.ask(GET % 7)
        assert b"\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 203.0.113.7\r\n" in after
        assert b"\r\nX-Forwarded-For: 203.0.113.7, 127.0.0.1\r\nX-Request-Id: " in after
        await place.route(backend)
        _, last = await client.ask(GET % 7)
        assert re.sub(rb"Id: .*", b"", last) == re.sub(rb"Id: .*", b"", before)


@pytest.mark.parametrize("stick_by", ["header:X-Forwarded-For", "header:x-real-ip"])
@looped
async def test_users_behind_proxies_stick_by_their_own_address(stick_by):
    async with placed() as place:
        one, other = await place.backend(says(answer(b"one"))), await place.backend(says(answer(b"other")))
        other.revision = "bbbb"
        await place.route(one, other, stick_by=stick_by, trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
        client, users = await place.connect(), {}
        for turn in range(3):
            for user in range(20):
                by_another = b"6.6.6.%d, 203.0.113.%d, 10.0.0.%d" % (turn, user, turn)
                request = GET.replace(b"203.0.113.%d", by_another)
                users.setdefault(user, set()).add((await client.ask(request))[1])
        assert all(len(revisions) == 1 for revisions in users.values())
        assert len({body for revisions in users.values() for body in revisions}) == 2


@looped
async def test_a_router_refuses_what_is_no_network():
    async with placed() as place:
        with pytest.raises(RouterTrouble, match="does not appear to be an IPv4 or IPv6 network"):
            await place.route(await place.backend(), trusted_proxies=("proxy",))
