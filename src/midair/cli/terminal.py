"""Joins this process's input and output to a command that runs elsewhere, through a terminal or pipes."""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from types import FrameType

from midair.client.command import CommandStream

_BLOCK = 64 * 1024
_PATIENCE = 3  # interrupts in a row that the command ignores before this process ends


def has_terminal() -> bool:
    """Whether input and output are a terminal."""
    return os.isatty(0) and os.isatty(1)


def size() -> tuple[int, int]:
    """Rows and columns of the terminal."""
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return 24, 80
    return rows or 24, columns or 80


class Joint:
    """One command's end of the line. `follow` returns its exit code."""

    def __init__(self, stream: CommandStream, *, is_terminal: bool) -> None:
        self._stream, self._is_terminal = stream, is_terminal
        self._news: list[int] = []  # signals that came
        self._interrupts = 0
        self._has_input = True

    def follow(self) -> int:
        """Pass on input, signals and sizes, and show output, until the command has ended."""
        with _raw(self._is_terminal), self._listening() as wake:
            if self._is_terminal:
                self._stream.resize(*size())  # it may have changed before anybody listened
            while self._stream.code is None:
                watched = [self._stream.fileno(), wake]
                if self._has_input and self._stream.room:
                    watched.append(0)
                ready = self._select(watched)
                if wake in ready:
                    self._pass_signals(wake)
                if 0 in ready:
                    self._pass_input()
                if self._stream.fileno() in ready:
                    for is_error, data in self._stream.read():
                        _write(2 if is_error else 1, data)
            return self._stream.code

    def _select(self, watched: list[int]) -> list[int]:
        try:
            return select.select(watched, [], [])[0]
        except OSError:  # this process was started without an input
            self._end_input()
            return []

    def _pass_input(self) -> None:
        try:
            data = os.read(0, min(_BLOCK, self._stream.room))
        except OSError:
            data = b""
        if data:
            self._stream.write(data)
        else:
            self._end_input()

    def _end_input(self) -> None:
        self._has_input = False
        self._stream.close_input()

    def _pass_signals(self, wake: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 512)
        while self._news:
            number = self._news.pop(0)
            if number == signal.SIGWINCH:
                self._stream.resize(*size())
            else:
                self._stream.signal(signal.Signals(number).name)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[int]:
        """Note signals, and wake whoever waits for the descriptor that is returned."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        before = {number: signal.signal(number, self._note) for number in self._passed_on()}
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _leave)
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, _leave)
        woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _passed_on(self) -> tuple[signal.Signals, ...]:
        # Keys of a terminal in raw mode are input and no signals.
        return (signal.SIGWINCH,) if self._is_terminal else (signal.SIGINT, signal.SIGQUIT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > _PATIENCE:
            raise KeyboardInterrupt
        self._news.append(number)


def _leave(number: int, frame: FrameType | None) -> None:
    """End, so that the command ends with its client, and the terminal is as it was."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _raw(is_terminal: bool) -> Iterator[None]:
    if not is_terminal:
        yield
        return
    sys.stdout.flush()
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0, termios.TCSADRAIN)  # and keep what was typed ahead
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody else has made the output so
            select.select([], [descriptor], [])
