"""Runs one command that somebody uses from a terminal, and ends all of it when the daemon lets go of it or dies.

A script of its own, which imports nothing of midair: `attendant.py CONTROL TTY WORDS…`. CONTROL is the descriptor of a
socket to the daemon: each byte that comes is a signal for the command, and its end, also by the death of the daemon,
ends the command. Whatever the command has started becomes a child of this process, so nothing of it stays behind. The
exit code is the command's; 128 and the number of the signal that ended it.
"""

import ctypes
import fcntl
import os
import select
import signal
import sys
import termios
import time

GRACE_S = 2.0  # between the polite end and the other one
_GIVE_UP_S = 5.0  # for what cannot be killed, having become another user's
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def main(control: int, tty: bool, words: list[str]) -> int:
    """Run the words to their end: their exit code."""
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    news, wake = os.pipe()
    os.set_blocking(news, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    leader = os.fork()
    if leader == 0:
        _become(control, tty, words)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # the other ends are to see when the command closes them
        os.dup2(nothing, descriptor)
    code = _follow(control, news, leader)
    _clear(news)
    return code


def _become(control: int, tty: bool, words: list[str]) -> None:
    """Become the command, in a session of its own."""
    try:
        os.close(control)
        os.setsid()
        if tty:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):  # which Python has changed
            signal.signal(number, signal.SIG_DFL)
        os.execvp(words[0], words)
    except OSError as error:
        os.write(2, f"midair: {words[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(126)


def _follow(control: int, news: int, leader: int) -> int:
    """Wait for the end of the leader, or bring it about."""
    watched = [control, news]
    deadline: float | None = None
    while True:
        code = _reap(leader)
        if code is not None:
            return code
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            _send(leader, signal.SIGKILL)
            return 128 + signal.SIGKILL
        ready = select.select(watched, [], [], left)[0]
        _drain(news)
        if control in ready:
            numbers = _received(control)
            for number in numbers:
                _send(leader, number)
            if not numbers:
                watched, deadline = [news], time.monotonic() + GRACE_S
                _send(leader, signal.SIGTERM)


def _received(control: int) -> bytes:
    try:
        return os.read(control, 64)
    except OSError:  # the daemon died in the middle of something
        return b""


def _reap(leader: int) -> int | None:
    """Reap whatever has ended; the leader's code once it is among them."""
    code = None
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == leader:
                code = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        pass
    return code if code is None or code >= 0 else 128 - code


def _clear(news: int) -> None:
    """Kill what is left, until nothing is: a killed one's own children become children of this process."""
    until = time.monotonic() + _GIVE_UP_S
    while (children := _children()) and time.monotonic() < until:
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except OSError:
                pass
        _reap(0)
        select.select([news], [], [], 0.02)
        _drain(news)


def _children() -> list[int]:
    own, found = str(os.getpid()), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[1].decode() == own:
                found.append(int(name))
    return found


def _send(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except OSError:
        pass


def _drain(news: int) -> None:
    try:
        while os.read(news, 512):
            pass
    except BlockingIOError:
        pass


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), sys.argv[2] == "tty", sys.argv[3:]))
