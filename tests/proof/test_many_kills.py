"""After 200 kills, everything is there once: no orphans, no doubles, no leaked files, ports or descriptors."""

import os
import signal
from itertools import cycle, islice

import pytest
from tests.proof.ground import asked, descriptors, wait

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = 200
WARM = 12  # kills before the first look: logs are there, every restart has happened once
VICTIMS = (("daemon", "router"), ("router",), ("daemon", "replica"), ("daemon",), ("daemon", "router", "replica"))


def test_200_kills_leave_nothing_behind(ground):
    ground.up("red")
    rounds, killed = cycle(VICTIMS), 0
    for victims in islice(rounds, WARM):
        shoot(ground, victims)
    before = look(ground)
    while killed < KILLS:
        killed += shoot(ground, next(rounds))
    after = look(ground)
    assert after == before
    assert ground.up("blue").phase == "completed"
    ground.midair("down", expect=0)
    assert ground.router_processes() == []


def shoot(ground, victims):
    """Kill these at the same moment, and wait until everything is back. Returns how many were killed."""
    ground.client.ensure_daemon()
    ground.becomes_whole()
    pids = ground.pids()
    chosen = [pids[victim] if victim in pids else pids[max(pids)] for victim in victims]
    for pid in chosen:
        os.kill(pid, signal.SIGKILL)
    ground.client.ensure_daemon()
    wait(lambda: asked(lambda: ground.is_whole() and not set(chosen) & set(ground.pids().values())), "all of it back")
    return len(chosen)


def look(ground):
    """What could have leaked: processes by kind, files, descriptors and listening sockets of each process."""
    ground.client.daemon_restart()  # a fresh one, so that both looks are at one that has done as much
    ground.becomes_whole()
    pids = ground.pids()
    wait(lambda: has_only(ground, pids), "nothing but what is known")
    open_files = {name: settled(pid) for name, pid in pids.items()}
    files = sorted(kind(path, ground.home) for path in ground.home.rglob("*") if not path.is_dir())
    return {"names": sorted(pids), "files": files, "descriptors": open_files, "ports": ports(pids)}


def has_only(ground, pids):
    """Whether nothing runs but these, and the process that writes the log of each replica."""
    commands = ground.all_processes().values()
    loggers = sum("process/logger.py" in command for command in commands)
    return len(commands) == len(pids) + loggers and loggers == sum("/" in name for name in pids)


def settled(pid):
    """How many descriptors it keeps: the smallest of a few looks, since asking opens some."""
    return min(descriptors(pid) for _ in range(20))


def kind(path, home):
    """A file's name without what differs from attempt to attempt."""
    name = str(path.relative_to(home))
    return name.rpartition(".")[0] + ".N" if "/pid." in name else name


def ports(pids):
    """How many TCP ports each process listens on."""
    listening = {}
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as lines:
            next(lines)
            listening |= {f"socket:[{line.split()[9]}]": True for line in lines if line.split()[3] == "0A"}
    return {name: sum(link in listening for link in links(pid)) for name, pid in pids.items()}


def links(pid):
    """What its descriptors are."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    return found
