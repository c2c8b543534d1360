"""`midair logs` of containers, which are read through the engine's API."""

import subprocess
import threading

import pytest
from tests.docker import engine as engines
from tests.docker.shop import compose
from tests.docker.waiting import eventually
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

COUNT = """
import http.server, itertools, sys, threading, time
def count():
    for number in itertools.count():
        print(sys.argv[1], number, flush=True)
        time.sleep(0.02)
threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def counting(port, word, **more):
    return {
        "image": engines.IMAGE,
        "command": ["python3", "-c", COUNT, word],
        "ports": [f"{port}:8000"],
        "deploy": {"update_config": {"monitor": "100ms", "order": "start-first"}},
        "x-midair": {"drain": {"timeout": "1s"}},
        **more,
    }


class Follower:
    """`midair logs -f`: the lines that it prints, without their replicas."""

    def __init__(self, place):
        self._process = subprocess.Popen(
            ["midair", "logs", "web", "-f"], env=place.environment, cwd=place.folder, stdout=subprocess.PIPE, text=True
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.partition(" | ")[2].strip())

    def of(self, word):
        return [int(line.split()[1]) for line in self.lines if line.startswith(f"{word} ")]

    def close(self):
        self._process.terminate()
        self._reader.join()
        self._process.wait()
        self._process.stdout.close()


def test_followed_lines_survive_change_and_restart(place, engine):
    port = free_port()
    place.write(compose({"web": counting(port, "one")}))
    place.midair("up", expect=0, timeout=200)
    follower = Follower(place)
    try:
        eventually(lambda: len(follower.of("one")) > 20)
        place.midair("daemon", "restart", expect=0)
        before = len(follower.of("one"))
        eventually(lambda: len(follower.of("one")) > before + 20)
        place.write(compose({"web": counting(port, "two")}))
        place.midair("up", expect=0)
        eventually(lambda: len(follower.of("two")) > 20)
    finally:
        follower.close()
    for word in ("one", "two"):
        numbers = follower.of(word)
        assert numbers == list(range(len(numbers))), f"{word}: lines are lost or repeated"
    replaced = [line for line in place.midair("logs", "web", expect=0).out.splitlines() if "| one " in line]
    assert replaced, "the last words of the replica that was replaced"
    assert len(place.midair("logs", "web", "-n", "3", expect=0).out.splitlines()) == 3


def test_a_log_that_cannot_be_read_says_so(place, engine):
    place.write(compose({"web": counting(free_port(), "one", logging={"driver": "none"})}))
    place.midair("up", expect=0, timeout=200)
    (line,) = place.midair("logs", "web", expect=0).out.splitlines()
    assert 'log driver "none"' in line
