"""`midair exec` and `midair run` as people use them: in a terminal, in a script, and with what goes wrong."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from midair.client.home import daemon_pid
from midair.runtime.process.identity import stat_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
FILE = """
services:
  web:
    build: {context: web}
    command: sleep 600
    environment: {COLOUR: red}
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 100ms}}
"""


@pytest.fixture
def shop(place):
    """A project that is up."""
    (place.folder / "web").mkdir()
    place.write(FILE)
    place.midair("up", expect=0)
    return place


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, place, *arguments):
        self.master, slave = pty.openpty()
        self.resize(33, 111)
        self.child = subprocess.Popen(
            ["midair", *arguments], env={**place.environment, "TERM": "vt100"}, cwd=place.folder, stdin=slave,
            stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, wanted):
        """Read until this was printed."""
        while wanted not in self.text:
            assert select.select([self.master], [], [], 10)[0], self.text
            self.text += os.read(self.master, 4096).decode()
        before, _, self.text = self.text.partition(wanted)
        return before


def script(place, *arguments, data=b""):
    return subprocess.run(
        ["midair", *arguments], env=place.environment, cwd=place.folder, input=data, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip


def gone(pid, within=5.0):
    deadline = time.monotonic() + within
    while (stat := stat_of(pid)) is not None and not stat.ended:
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.02)


def test_shell_in_terminal_has_size_keys_and_code(shop):
    terminal = Terminal(shop, "exec", "web", "sh", "-c", 'stty size; echo "$COLOUR $TERM"; cat')
    terminal.until("33 111\r\nred vt100\r\n")
    terminal.type("\x03")  # ends cat, and with it the shell's list
    assert terminal.child.wait(10) == 130
    terminal = Terminal(shop, "exec", "-it", "web", "sh")
    terminal.type("echo be''gun\r")  # ahead of the shell
    terminal.until("begun\r\n")
    terminal.resize(40, 120)
    os.kill(terminal.child.pid, signal.SIGWINCH)
    terminal.type("stty size; exit 5\r")
    terminal.until("40 120")
    assert terminal.child.wait(10) == 5


def test_script_gets_streams_apart_and_exit_code(shop):
    done = script(shop, "exec", "-T", "web", "--", "sh", "-c", "cat; echo oops >&2; exit 3", data=b"a\0b" * 500_000)
    assert (done.returncode, done.stderr) == (3, b"oops\n")
    assert done.stdout == b"a\0b" * 500_000
    assert script(shop, "run", "--rm", "-e", "MORE=1", "web", "sh", "-c", 'echo "$COLOUR$MORE"').stdout == b"red1\n"
    assert script(shop, "exec", "web", "no-such-program").returncode == 127
    assert len(shop.replicas("web")) == 1
    assert script(shop, "events").stdout.count(b"by ") >= 6


@pytest.mark.parametrize("who", ["client", "daemon"])
def test_command_ends_when_client_or_daemon_is_killed(shop, who):
    command = "trap '' TERM HUP INT; setsid sleep 300 & echo $!; yes >/dev/null"
    child = subprocess.Popen(
        ["midair", "exec", "-T", "web", "sh", "-c", command], env=shop.environment, cwd=shop.folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    sleeper = int(child.stdout.readline())
    os.kill(child.pid if who == "client" else int(daemon_pid(shop.home)), signal.SIGKILL)
    gone(sleeper)
    child.kill()
    child.communicate()


def test_interrupt_reaches_command_without_terminal(shop):
    command = "trap 'echo caught; exit 9' INT; echo begun; while :; do sleep 0.05; done"
    child = subprocess.Popen(
        ["midair", "exec", "-T", "web", "sh", "-c", command],
        env=shop.environment, cwd=shop.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout.readline() == b"begun\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=10)[0] == b"caught\n"
    assert child.returncode == 9


def test_output_nobody_reads_stays_out_of_memory(shop):
    child = subprocess.Popen(
        ["midair", "exec", "-T", "web", "sh", "-c", "echo begun; head -c 300000000 /dev/zero"],
        env=shop.environment, cwd=shop.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout.readline() == b"begun\n"
    time.sleep(1)
    for pid in (child.pid, int(daemon_pid(shop.home))):
        (peak,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
        assert int(peak.split()[1]) < 150_000  # kB
    assert len(child.communicate(timeout=60)[0]) == 300_000_000
