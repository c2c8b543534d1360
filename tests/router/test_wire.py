"""Messages with descriptors between the router and those who ask it."""

import os
import resource
import socket
from contextlib import contextmanager

import pytest
from tests.router.place import eventually, looped

from midair.errors import RouterTrouble
from midair.router.embedded.wire import Wire


@contextmanager
def no_descriptor_from(first):
    """None can be opened that is not below this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@looped
async def test_descriptors_that_found_no_room_are_not_taken_for_the_next_ones_and_none_stays_open():
    heard = []

    async def hear(wire, message, descriptors):
        heard.append((message.do, [os.fstat(descriptor).st_ino for descriptor in descriptors]))
        return None, tuple(descriptors)

    one, other = (Wire(sock, hear, lambda wire: None) for sock in socket.socketpair())
    room = os.dup(0)
    sent = [os.memfd_create(name) for name in ("first", "second", "third")]
    places = [os.fstat(descriptor).st_ino for descriptor in sent]
    os.close(room)
    with no_descriptor_from(room + 1):
        one.tell("adopt", fds=(sent[0], sent[1]))
        one.tell("go on")
        await eventually(lambda: heard == [("go on", [])])
        with pytest.raises(OSError):
            os.fstat(room)
    one.tell("adopt", fds=(sent[2],))
    await eventually(lambda: heard[1:] == [("adopt", [places[2]])])
    one.close()
    await eventually(lambda: other.closed)


@looped
async def test_who_asked_for_descriptors_is_told_that_there_is_no_room():
    async def give(wire, message, descriptors):
        return None, (given,)

    given = os.memfd_create("given")
    one, other = (Wire(sock, give, lambda wire: None) for sock in socket.socketpair())
    with no_descriptor_from(0), pytest.raises(RouterTrouble, match="too many are open"):
        await one.ask_for_descriptors("listener", 0, type(None))
    one.close()
    other.close()
