"""The demo's app answers its users, and its users notice when it does not."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import pytest

from midair.demo.load import NAMES, Users
from midair.demo.scenery import APP


@asynccontextmanager
async def app():
    """The demo's app on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(APP), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert b"listening" in await child.stdout.readline()
    try:
        yield child, port
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def use(kinds, seconds, meanwhile=None):
    """What users of these kinds see of the app."""
    async with app() as (child, port):
        users = Users(port)
        working = [asyncio.create_task(users.run(kind)) for kind in kinds]
        await asyncio.sleep(seconds / 2)
        if meanwhile is not None:
            meanwhile(child)
        await asyncio.sleep(seconds / 2)
        users.leaving = True
        await asyncio.wait(working)
        return users


def test_every_kind_of_user_is_answered():
    users = asyncio.run(use(NAMES, 0.4))
    assert users.lost.total() == 0, users.first_loss
    assert set(users.answered) == set(NAMES)


@pytest.mark.parametrize("kind", ["get", "new", "post", "stream", "ws"])
def test_a_killed_app_is_noticed(kind):
    users = asyncio.run(use([kind], 0.4, lambda child: child.send_signal(signal.SIGKILL)))
    assert users.lost[kind] > 0
    assert users.first_loss
