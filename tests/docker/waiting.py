"""Waiting for what the engine, the router and containers come to by themselves."""

import time
import urllib.request

REPLICAS = "label=io.midair.replica"  # a filter of docker ps that leaves fronts out


def body_of(port, host="127.0.0.1"):
    """What a service answers on a new connection; None when nothing does."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return None


def eventually(condition, patience=60):
    """Wait for a condition that nothing announces."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)


def networks_of(engine):
    """Networks of the project, by name."""
    names = engine.docker("network", "ls", "--format", "{{.Name}}").split()
    return [name for name in names if name.startswith("shop_")]
