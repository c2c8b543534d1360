"""Notices at once when a process ends, whether midair started it or found it."""

import asyncio
import fcntl
import os
import signal
import struct
from collections.abc import Callable

from midair.runtime.process import identity as ids
from midair.runtime.process.identity import Identity

_POLL_S = 0.25  # where there is no pidfd
_INFO_SIZE, _INFO_EXIT = 64, 8  # Linux 6.15: the exit status of any process, through its pidfd
_GET_INFO = 0xC0000000 | _INFO_SIZE << 16 | 0xFF << 8 | 11


class Watch:
    """Calls `ended` once, in the loop, when the process has ended. Owns a descriptor until closed."""

    def __init__(self, identity: Identity, ended: Callable[[], object]) -> None:
        self.identity = identity
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = _open(identity)
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._fire)
        else:
            self._timer = self._loop.call_later(0, self._poll)

    def send(self, number: int) -> None:
        """Send a signal to this very process; nothing happens when it has ended."""
        try:
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, number)
            elif ids.is_alive(self.identity):
                os.kill(self.identity.pid, number)
        except ProcessLookupError:
            pass

    def exit_code(self) -> int | None:
        """The code of the ended process, negative for a signal; None when nobody can know. Reaps a child."""
        code = exit_code_of(self.identity)
        return code if code is not None or self._descriptor is None else _code_by_descriptor(self._descriptor)

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _fire(self) -> None:
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
        self._ended()

    def _poll(self) -> None:
        if ids.is_alive(self.identity):
            self._timer = self._loop.call_later(_POLL_S, self._poll)
        else:
            self._fire()


def exit_code_of(identity: Identity) -> int | None:
    """The code of a process whose entry is still there: of a child, which is reaped, or of somebody's zombie."""
    stat = ids.stat_of(identity.pid)
    if stat is None or stat.started != identity.started:
        return None
    try:
        waited, status = os.waitpid(identity.pid, os.WNOHANG)
    except ChildProcessError:
        return os.waitstatus_to_exitcode(stat.wait_status) if stat is not None and stat.ended else None
    return os.waitstatus_to_exitcode(status) if waited else None


def _code_by_descriptor(descriptor: int) -> int | None:
    info = bytearray(_INFO_SIZE)
    struct.pack_into("Q", info, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(descriptor, _GET_INFO, info)
    except OSError:  # an older kernel
        return None
    if not struct.unpack_from("Q", info, 0)[0] & _INFO_EXIT:
        return None
    return os.waitstatus_to_exitcode(struct.unpack_from("i", info, 60)[0])


def _open(identity: Identity) -> int | None:
    try:
        descriptor = os.pidfd_open(identity.pid)
    except (AttributeError, OSError):
        return None
    # Before it was opened, the process may have ended and its pid been given to another one.
    stat = ids.stat_of(identity.pid)
    if stat is not None and stat.started == identity.started:
        return descriptor
    os.close(descriptor)
    return None
