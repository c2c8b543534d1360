"""Writes what one replica prints into its log. Runs as a script of its own, which outlives the daemon.

The replica has a pipe, as in a container, so that neither a full disk nor a dead daemon makes `print` fail. A replica
that prints without a pause is slowed down, so that writing costs at most a twentieth of a core. Each line begins with
the time at which it came (RFC 3339, UTC) and a tab; lines that came at once have the same. The script imports neither
`site` nor anything of midair, so that it stays small: one of them runs for each replica.
"""

import os
import sys
import time

LIMIT = 10 * 1024 * 1024  # bytes of a log before it is turned over
PARTS = 3  # older parts that are kept; the newest is number 1
_CHUNK = 64 * 1024
_SHARE = 0.04  # of a core
_MOST = 8 * 1024 * 1024  # bytes a second, over longer than a moment
_BURST = 4 * 1024 * 1024  # bytes that may come at once


class Log:
    """A log file that is turned over by renaming, at the end of a line where there is one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1
        self._at_line_end = True
        self._has_written = False
        self._pending = 0  # bytes of a call that are not written yet, with their times
        self._dropped = 0
        self._reason = ""

    def write(self, data: bytes) -> None:
        """Write all of it, or count what could not be kept."""
        stamp, bytes_in = _now(), len(data)
        self._pending = bytes_in
        try:
            self._open()
            if self._dropped:
                notice = f"midair: {self._dropped} bytes could not be kept: {self._reason}\n".encode()
                self._put((b"" if self._at_line_end else b"\n") + stamp + notice)
                self._dropped = 0
            data = self._stamped(data, stamp)
            self._pending = len(data)
            size = os.fstat(self._file).st_size
            if size + len(data) > LIMIT and size:
                end = data.rfind(b"\n", 0, max(LIMIT - size, 0)) + 1
                if not end and not self._at_line_end:
                    end = data.find(b"\n") + 1
                self._put(data[:end])
                data = data[end:]
                if self._at_line_end or size > 2 * LIMIT:
                    self._turn_over()
            self._put(data)
        except OSError as error:
            self._dropped += min(bytes_in, self._pending)
            self._reason = error.strerror or str(error)
            self._close()

    def _stamped(self, data: bytes, stamp: bytes) -> bytes:
        first = stamp if self._at_line_end else b""
        return first + data[:-1].replace(b"\n", b"\n" + stamp) + data[-1:]

    def _put(self, data: bytes) -> None:
        while data:
            written = os.write(self._file, data)
            self._pending -= written
            self._at_line_end = data[:written].endswith(b"\n")
            data = data[written:]

    def _open(self) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            size = os.fstat(self._file).st_size
            self._at_line_end = not size or os.pread(self._file, 1, size - 1) == b"\n"
            if not self._at_line_end and not self._has_written:  # an earlier attempt ended in the middle of a line
                self._put(b"\n")
            self._has_written = True

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _turn_over(self) -> None:
        ours = os.fstat(self._file).st_ino
        if os.stat(self._path).st_ino == ours:  # else the logger of an earlier attempt has done so
            for number in range(PARTS, 1, -1):
                if os.path.exists(f"{self._path}.{number - 1}"):
                    os.replace(f"{self._path}.{number - 1}", f"{self._path}.{number}")
            os.replace(self._path, f"{self._path}.1")
        self._close()
        self._open()


def _now() -> bytes:
    now = time.time_ns()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    return f"{seconds}.{now % 10**9 // 1000:06}Z\t".encode()


def main(path: str) -> None:
    """Copy standard input to the log until every writer has closed it."""
    log = Log(path)
    allowed, seen, spent = float(_BURST), time.monotonic(), time.process_time()
    while data := os.read(0, _CHUNK):
        log.write(data)
        now, cost = time.monotonic(), time.process_time()
        allowed = min(allowed + (now - seen) * _MOST, _BURST) - len(data)
        pause = max((cost - spent) / _SHARE - (now - seen), -allowed / _MOST) if allowed < _BURST / 2 else 0.0
        seen, spent = now, cost
        if pause > 0:
            time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1])
