"""What is counted of each answer: its status, its bytes, how long it took."""

import asyncio

from tests.router.place import answer, eventually, looped, placed, says

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"


@looped
async def test_answers_are_counted_by_status_revision_and_latency():
    async with placed() as place:
        old, new = await place.backend(), await place.backend(says(answer(b"no", "500 Internal Server Error")))
        await place.route(old)
        await place.get()
        await place.route(new, revision="bbbb")
        await place.get()
        counts = {count.revision: count for count in place.router.observe().counts}
        assert counts["aaaa"].by_status["2xx"] == counts["bbbb"].by_status["5xx"] == 1
        assert counts["aaaa"].tally.answered == counts["bbbb"].tally.answered == 1
        record = next(each for each in place.router.hub.book.records() if each.revision == "aaaa")
        for histogram in ("head", "end"):
            assert sum(record.latency(histogram).counts) == 1
            assert 0 < record.latency(histogram).total_s < 1
        assert record["request_bytes"] > len(GET)  # with what the router adds
        assert record["answer_bytes"] > len(answer(b""))


@looped
async def test_time_in_a_hold_is_left_out():
    async with placed() as place:
        await place.route(hold=True)
        client = await place.connect()
        client.send(GET)
        await eventually(lambda: place.service.seen().held == 1)
        await asyncio.sleep(0.2)  # the hold that is measured
        await place.route(await place.backend())
        await client.answer()
        (record,) = (each for each in place.router.hub.book.records() if each.revision)
        assert record.latency("end").total_s > 0.2 > record.latency("head").total_s + 0.05
