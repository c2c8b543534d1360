"""A service that is not HTTP changes in flight too: conversations end where they began, new ones go to the new."""

import socket
import time

import pytest
from tests.e2e.place import free_port
from tests.e2e.shop import compose, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def say(connection, text):
    """Say a line, and the answer."""
    connection.sendall(text + b"\n")
    return connection.makefile("rb").readline()


def test_open_conversations_go_on_while_new_ones_reach_the_new_code(place):
    port = free_port()
    place.app("tcp", "web")
    web = service("web", port, replicas=2, together=2, drain="4s", command="python app.py")
    web["x-midair"] = {"protocol": "tcp", "drain": {"timeout": "4s"}}
    place.write(compose(web=web))
    place.midair("up", expect=0)
    place.edit("web/app.py", '"v1"', '"v2"')
    with socket.create_connection(("127.0.0.1", port), timeout=5) as old:
        assert say(old, b"hello") == b"v1 hello\n"
        changing = place.begin("up")
        answers = []
        while b"v2 x\n" not in answers[-20:]:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as new:
                answers.append(say(new, b"x"))
            time.sleep(0.01)
        assert set(answers) == {b"v1 x\n", b"v2 x\n"}
        assert say(old, b"still here") == b"v1 still here\n"
    out, _ = changing.communicate(timeout=60)
    assert changing.returncode == 0
    assert out.splitlines()[-1].endswith(", 0 lost")
    total = place.client.counts("shop").total
    assert (total.accepted, total.answered) == (len(answers) + 1, len(answers) + 1)
