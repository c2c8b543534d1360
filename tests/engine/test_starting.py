"""The core is told which starts are under way, so that it does not count on a place that is about to be taken."""

import asyncio

from midair.engine.perform import Hands
from midair.model.action import StartReplica, StopReplica
from midair.model.ids import ReplicaId

WEB = ReplicaId("web/a/0")


def test_a_start_is_known_while_it_is_under_way_and_not_after():
    asyncio.run(known_while_under_way())


async def known_while_under_way():
    gate = asyncio.Event()

    async def act(action):
        await gate.wait()

    hands = Hands(act, lambda: 0.0, lambda: None)
    hands.begin([StartReplica(WEB), StopReplica(ReplicaId("web/a/1"))])
    assert hands.starting() == (WEB,)
    gate.set()
    await hands.settle(5.0)
    assert hands.starting() == ()


def test_a_start_that_failed_is_not_under_way_any_more():
    asyncio.run(known_no_more_after_a_failure())


async def known_no_more_after_a_failure():
    async def act(action):
        raise RuntimeError("no")

    hands = Hands(act, lambda: 0.0, lambda: None)
    hands.begin([StartReplica(WEB)])
    await hands.settle(5.0)
    assert hands.starting() == ()
    assert [trouble.count for trouble in hands.troubles("web")] == [1]
