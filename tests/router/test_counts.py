"""Every request has one outcome, whatever happens; counts survive what happens to their process."""

import asyncio
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.router.place import answer, eventually, looped, placed, read_head, read_message

from midair.model.seen import Tally
from midair.router.embedded.counts import (
    ABORTED,
    ACCEPTED,
    LONG_LIVED_AT,
    LOST,
    REFUSED,
    STATUS,
    Book,
    books_of,
    merged,
    open_book,
)

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\n"


async def moody(backend, reader, writer):
    """Does something else with every request, as its number says."""
    while True:
        await read_message(reader)
        mood = len(backend.requests) % 7
        backend.requests.append(mood)
        if mood == 1:
            return
        if mood == 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            return
        if mood == 3:
            await asyncio.sleep(0.02)
        if mood == 4:
            writer.write(b"nonsense\r\n\r\n")
            return
        if mood == 5:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
        else:
            writer.write(answer(b"ok"))


async def well(place):
    await (await place.connect()).ask(GET)


async def quietly(place):
    client = await place.connect()
    client.send(GET + GET)
    await client.rest()


async def malformed(place):
    client = await place.connect()
    client.send(b"GET / HTTP/1.1\r\nHost : web\r\n\r\n")
    await client.rest()


async def vanishing(place):
    client = await place.connect()
    client.send(GET)
    await asyncio.sleep(0.003)
    client.reset()


async def half_a_head(place):
    client = await place.connect()
    client.send(GET[:20])
    await asyncio.sleep(0.003)
    client.close()


async def half_a_body(place):
    client = await place.connect()
    client.send(POST + b"he")
    await asyncio.sleep(0.003)
    client.close()


async def whole_body(place):
    client = await place.connect()
    client.send(POST + b"hel")
    await asyncio.sleep(0.002)
    await client.ask(b"lo")


async def nothing(place):
    (await place.connect()).close()


CLIENTS = [well, quietly, malformed, vanishing, half_a_head, half_a_body, whole_body, nothing]
CHANGES = ["one", "both", "none", "hold", "operator", "dead"]


async def play(clients, changes):
    async with placed(park_s=0.05, idle_s=0.3, linger_s=0.1) as place:
        one, other, dead = await place.backend(moody), await place.backend(moody), await place.backend()
        dead.stop_accepting()
        await place.route(one)

        async def act(client):
            try:
                await client(place)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            place.check()

        acts = []
        for number, client in enumerate(clients):
            acts.append(asyncio.create_task(act(client)))
            if number < len(changes):
                await asyncio.sleep(0.002)
                await change(place, changes[number], one, other, dead)
                place.check()
        await place.route(one, other, hold_timeout_s=0.05)
        await asyncio.gather(*acts)
        await eventually(lambda: place.inside() == 0 and place.service.seen().held == 0, "an end")
        place.check()
        tally = place.tally()
        assert tally.refused >= clients.count(malformed)
        assert tally.accepted <= len(clients) + clients.count(quietly)
        assert tally.accepted >= len(clients) - clients.count(nothing) - clients.count(half_a_head)


async def change(place, kind, one, other, dead):
    if kind == "operator":
        await place.route(one, hold=True, hold_timeout_s=0.05)
    elif kind == "hold":
        await place.route(hold=True, hold_timeout_s=0.05)
    else:
        await place.route(*{"one": [one], "both": [one, other], "none": [], "dead": [dead, other]}[kind])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(CLIENTS), min_size=1, max_size=14), st.lists(st.sampled_from(CHANGES), max_size=8))
def test_accepted_is_answered_and_refused_and_aborted_and_lost_and_open(clients, changes):
    asyncio.run(play(clients, changes))  # closing uvloop's loop may wait for a client's unfinished connection


@looped
async def test_what_waits_is_counted_under_no_revision_and_moves_to_the_one_that_takes_it():
    async with placed() as place:
        await place.route(hold=True)
        client = await place.connect()
        client.send(GET)
        await eventually(lambda: place.service.seen().held == 1)
        assert [(count.revision, count.tally.accepted) for count in place.router.observe().counts] == [("", 1)]

        async def serve(backend, reader, writer):
            await read_head(reader)
            writer.write(answer())

        await place.route(await place.backend(serve))
        await client.answer()
        counts = {count.revision: count.tally for count in place.router.observe().counts}
        assert counts == {"": Tally(), "aaaa": Tally(1, 1)}


def filled(path, accepted, answered):
    book = Book(path)
    count = book.count("web", "aaaa")
    count[ACCEPTED] += accepted
    count[STATUS + 2] += answered
    return book


def tallies(book):
    return {(count.service, count.revision): count.tally for count in book.read()}


def test_a_book_is_read_again_as_it_was(tmp_path):
    filled(tmp_path / "a", 5, 3).close()
    assert tallies(Book(tmp_path / "a")) == {("web", "aaaa"): Tally(5, 3)}


def test_what_was_open_at_a_death_is_lost_once(tmp_path):
    filled(tmp_path / "router-1.counts", 5, 3).close()
    for _ in range(2):
        book = open_book(tmp_path)
        assert tallies(book) == {("web", "aaaa"): Tally(5, 3, 0, 0, 2)}
        book.close()


def unmarked(path, numbers):
    """A file as routers wrote it before files said what they are."""
    record = b"web\naaaa".ljust(256, b"\0") + struct.pack("=32Q", *numbers)
    path.write_bytes(record.ljust(2**16, b"\0"))


def test_a_file_without_a_header_is_adopted(tmp_path):
    unmarked(tmp_path / "router-3.counts", [5, 1, 0, 0, 0, 0, 3] + 25 * [0])
    assert tallies(Book(tmp_path / "router-3.counts")) == {("web", "aaaa"): Tally(5, 3, 1)}
    for _ in range(2):
        book = open_book(tmp_path)
        assert (tallies(book), book.layout) == ({("web", "aaaa"): Tally(5, 3, 1, 0, 1)}, 1)
        assert book.path.read_bytes().startswith(b"\0midair counts\0\1\0")
        book.close()
    assert [path.name for path in tmp_path.iterdir()] == ["router-4.counts"]


def test_a_newer_layout_is_left_alone(tmp_path):
    path = tmp_path / "router-1.counts"
    filled(path, 5, 3).close()
    data = path.read_bytes().replace(b"counts\0\1", b"counts\0\2")
    path.write_bytes(data)
    book = open_book(tmp_path)
    book.absorb(Book(path))
    assert (tallies(book), book.path.name, list(books_of(tmp_path, lambda name: name == path.name))) == (
        {}, "router-2.counts", [],
    )  # fmt: skip
    assert path.read_bytes() == data


def test_a_living_book_is_left_alone_and_a_dead_one_moves_in(tmp_path):
    living = filled(tmp_path / "router-1.counts", 5, 3)
    assert living.lock()
    second = open_book(tmp_path)
    assert (second.path.name, tallies(second)) == ("router-2.counts", {})
    second.count("web", "bbbb")[ACCEPTED] += 1
    second.close()
    living.close()
    third = open_book(tmp_path)
    assert tallies(third) == {("web", "bbbb"): Tally(1, 0, 0, 0, 1), ("web", "aaaa"): Tally(5, 3, 0, 0, 2)}
    assert [path.name for path in tmp_path.iterdir()] == ["router-2.counts"]


def test_moments_of_two_books_are_not_added_up(tmp_path):
    for number, moment in ((1, 1700), (2, 1600)):
        book = Book(tmp_path / f"router-{number}.counts")
        book.count("web", "w1")[LONG_LIVED_AT] = moment
        book.close()
    book = open_book(tmp_path)
    (count,) = book.read()
    assert count.long_lived_at == 1700
    assert merged((count,), (count,))[0].long_lived_at == 1700


def test_a_book_grows(tmp_path):
    book = Book(tmp_path / "a")
    for number in range(1000):
        book.count(f"service-{number}", "aaaa")[REFUSED] += number
    assert sum(count.tally.refused for count in Book(tmp_path / "a").read()) == sum(range(1000))


def test_old_revisions_are_counted_together_and_none_that_is_in_use(tmp_path):
    book = Book(tmp_path / "a")
    kept = book.count("web", "r0")
    opened = book.count("web", "r1")
    opened[ACCEPTED] += 1
    for number in range(2, 500):
        count = book.count("web", f"r{number}", {"r0"})
        count[ACCEPTED] += 1
        count[ABORTED] += 1
    for found in (book, Book(tmp_path / "a")):
        known = tallies(found)
        assert len(known) <= 66
        assert {("web", "r0"), ("web", "r1"), ("web", "r499")} <= known.keys()
        assert sum(tally.aborted for tally in known.values()) == 498
        assert sum(tally.accepted for tally in known.values()) == 499
    kept[LOST] += 1
    assert tallies(book)["web", "r0"].lost == 1


def test_counts_of_two_processes_add_up(tmp_path):
    one, other = filled(tmp_path / "a", 5, 3), filled(tmp_path / "b", 2, 2)
    other.count("api", "cccc")[REFUSED] += 1
    total = {(count.service, count.revision): count for count in merged(one.read(), other.read())}
    assert total["web", "aaaa"].tally == Tally(7, 5)
    assert total["web", "aaaa"].by_status["2xx"] == 5
    assert total["api", "cccc"].tally.refused == 1


@pytest.mark.parametrize("name", ["s" * 400, "ü" * 200, "a.b-c_d"])
def test_any_name_of_a_service_can_be_counted(tmp_path, name):
    book = Book(tmp_path / "a")
    book.count(name, "aaaa")[ACCEPTED] += 1
    assert Book(tmp_path / "a").read()[0].tally.accepted == 1
    assert book.read()[0].service == name
