"""Ends what a replica leaves behind, and what a dead daemon left behind. Never anybody else's process."""

import os
import signal
from collections.abc import Callable

from midair.runtime.process.identity import Identity, Stat, mark_of, processes, stat_of
from midair.runtime.process.translate import MARK


def kill_leftovers(leader: Identity, mark: str) -> None:
    """Kill all that an ended leader has left: the rest of its session, and what carries its mark elsewhere.

    To be called before the leader is reaped where that is possible. A session's number is not given to a new process
    while the session has members, so once another process has the leader's pid, nothing of the session is left.
    """
    now = stat_of(leader.pid)
    reused = now is not None and now.started != leader.started
    _kill_all(lambda stat: (stat.session == leader.pid and not reused) or mark_of(stat.pid, MARK) == mark)


def members_of(leader: Identity, mark: str) -> list[Stat]:
    """The living processes of a replica beside its leader: the rest of its session, and what carries its mark."""
    now = stat_of(leader.pid)
    reused = now is not None and now.started != leader.started
    return [
        stat
        for stat in processes()
        if not stat.ended
        and (stat.pid != leader.pid or reused)
        and ((stat.session == leader.pid and not reused) or mark_of(stat.pid, MARK) == mark)
    ]


def signal_members(leader: Identity, mark: str, number: int) -> None:
    """Send a signal to all of a replica but its leader. Each is sent it once."""
    for stat in members_of(leader, mark):
        _send(stat, number)


def kill_replica(leader: Identity, mark: str) -> None:
    """Kill a replica that did not stop, leader and all, or what its leader has left."""
    now = stat_of(leader.pid)
    if now is not None and now.started == leader.started:
        _kill_group(leader.pid)
    kill_leftovers(leader, mark)


def kill_strays(is_stray: Callable[[str], bool]) -> None:
    """Kill every process whose mark says that it is a stray."""

    def wanted(stat: Stat) -> bool:
        mark = mark_of(stat.pid, MARK)
        return mark is not None and is_stray(mark)

    _kill_all(wanted)


def find_marked(mark: str) -> list[int]:
    """Pids of the living processes that carry this mark."""
    return [stat.pid for stat in processes() if not stat.ended and mark_of(stat.pid, MARK) == mark]


def _kill_all(wanted: Callable[[Stat], bool]) -> None:
    # Again until nothing is found: a process may start another one while this looks.
    for _ in range(5):
        found = [stat for stat in processes() if not stat.ended and stat.pid != os.getpid() and wanted(stat)]
        for stat in found:
            _kill(stat)
        if not found:
            return


def _kill(stat: Stat) -> None:
    _send(stat, signal.SIGKILL)


def _send(stat: Stat, number: int) -> None:
    try:
        descriptor = os.pidfd_open(stat.pid)
    except OSError:
        descriptor = None  # a kernel before 5.3, or it has ended
    try:
        now = stat_of(stat.pid)
        if now is None or now.started != stat.started:
            return
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(stat.pid, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
