"""Every request has one outcome, whatever happens; counts survive what happens to their process."""

import asyncio
import contextlib
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.router.place import answer, eventually, looped, placed, read_head, read_message

from midair.model.counters import BOUNDS_S
from midair.model.seen import Tally
from midair.router.embedded.books import books_of, merged, open_book, read_folder
from midair.router.embedded.counts import Book
from midair.router.embedded.record import ABORTED, ACCEPTED, LONG_LIVED_AT, LOST, REFUSED, STATUS

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


def old_file(path, layout, numbers):
    """A file as routers wrote it before counts were kept by replica; those of layout 0 did not say what they are."""
    header = b"" if layout == 0 else (b"\0midair counts\0" + bytes([layout])).ljust(512, b"\0")
    record = b"web\naaaa".ljust(256, b"\0") + struct.pack("=32Q", *numbers)
    path.write_bytes((header + record).ljust(2**16, b"\0"))


@pytest.mark.parametrize("layout", [0, 1])
def test_a_file_of_an_older_router_is_adopted(tmp_path, layout):
    latency = [0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]  # two of up to 2.5 ms, one above 30 s
    numbers = [5, 1, 0, 0, 0, 0, 3, 0, 0, 0, 7, 4, 31_000_000, *latency, 1700, 0, 0, 0]
    old_file(tmp_path / "router-3.counts", layout, numbers)
    assert tallies(Book(tmp_path / "router-3.counts")) == {("web", "aaaa"): Tally(5, 3, 1)}
    (read,) = read_folder(tmp_path)
    for _ in range(2):
        book = open_book(tmp_path)
        assert tallies(book) == {("web", "aaaa"): Tally(5, 3, 1, 0, 1)}
        assert book.path.read_bytes().startswith(b"\0midair counts\0\2\0")
        (adopted,) = book.records()
        for record in (read, adopted):
            assert [record[name] for name in ("connections", "repeated", "long_lived_at")] == [7, 4, 1700]
            assert [record.latency("end").percentile(share) for share in (0.5, 1)] == [0.0025, BOUNDS_S[-1]]
            assert (record.latency("end").total_s, sum(record.latency("head").counts)) == (31, 0)
        book.close()
    assert [path.name for path in tmp_path.iterdir()] == ["router-4.counts"]


def test_a_newer_layout_is_left_alone(tmp_path):
    path = tmp_path / "router-1.counts"
    filled(path, 5, 3).close()
    data = path.read_bytes().replace(b"counts\0\2", b"counts\0\3")
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


def test_revisions_in_use_are_not_counted_together(tmp_path):
    book = Book(tmp_path / "a")
    book.count("web", "")[REFUSED] += 1
    kept = book.count("web", "r0", "web/r0/0")
    book.count("web", "r1")[ACCEPTED] += 1  # open
    for number in range(2, 500):
        count = book.count("web", f"r{number}", f"web/r{number}/0")
        count[ACCEPTED] += 1
        count[ABORTED] += 1
        book.fold("web", {"web/r0/0"})
    for read in (book, Book(tmp_path / "a")):
        known = tallies(read)
        assert len(known) <= 68
        assert {("web", "r0"), ("web", "r1"), ("web", "older"), ("web", "r499")} <= known.keys()
        assert known["web", ""] == Tally(refused=1)
        assert sum(tally.aborted for tally in known.values()) == 498
        assert sum(tally.accepted for tally in known.values()) == 499
    kept[LOST] += 1
    assert tallies(book)["web", "r0"].lost == 1


def replicas(*books):
    return {(record.revision, record.replica): record["accepted"] for book in books for record in book.records()}


def test_gone_replica_is_counted_with_its_revision(tmp_path):
    book = Book(tmp_path / "a")
    for ordinal, requests in enumerate((1, 2, 4)):
        count = book.count("web", "aaaa", f"web/aaaa/{ordinal}")
        count[ACCEPTED] += requests
        count[STATUS + 2] += requests
    book.fold("web", {"web/aaaa/2"})
    for read in (book, Book(tmp_path / "a")):
        assert replicas(read) == {("aaaa", ""): 3, ("aaaa", "web/aaaa/2"): 4}


def test_requests_inside_keep_a_replica_from_folding(tmp_path):
    book = Book(tmp_path / "a")
    count = book.count("web", "aaaa", "web/aaaa/0")
    count[ACCEPTED] += 1
    book.fold("web", set())
    assert replicas(book) == {("aaaa", "web/aaaa/0"): 1}
    count[STATUS + 2] += 1
    book.fold("web", set())
    assert replicas(book) == {("aaaa", ""): 1}


class Killed(BaseException):
    """At this moment the process ends."""


@pytest.mark.parametrize("step", range(8))
def test_a_fold_killed_at_any_step_counts_once(tmp_path, monkeypatch, step):
    book = Book(tmp_path / "a")
    for ordinal in range(2):
        count = book.count("web", "aaaa", f"web/aaaa/{ordinal}")
        count[ACCEPTED] += 5
        count[STATUS + 2] += 5
        if ordinal == 0:
            book.fold("web", set())
    steps = itertools.count()

    def killed_at_step(original):
        def method(self, *args):
            if next(steps) == step:
                raise Killed
            return original(self, *args)

        return method

    for name in ("_take", "_rename", "_forget_contained", "_release"):
        monkeypatch.setattr(Book, name, killed_at_step(getattr(Book, name)))
    with contextlib.suppress(Killed):
        book.fold("web", set())
    monkeypatch.undo()
    assert sum(replicas(Book(tmp_path / "a")).values()) == 10
    heir = Book(tmp_path / "a")
    assert heir.lock()
    for number in range(100):  # what was left over is used again, from 0
        assert not heir.count("web", f"r{number}")[ACCEPTED]
    for read in (heir, Book(tmp_path / "a")):
        assert sum(replicas(read).values()) == 10


def test_all_routers_are_read_without_asking(tmp_path):
    old_file(tmp_path / "router-1.counts", 1, [5, 0, 0, 0, 0, 0, 5] + 25 * [0])
    living = filled(tmp_path / "router-2.counts", 2, 2)
    assert living.lock()
    living.count("web", "aaaa", "web/aaaa/0")[ACCEPTED] += 3
    records = {record.replica: record["accepted"] for record in read_folder(tmp_path)}
    assert records == {"": 7, "web/aaaa/0": 3}


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
