"""A process is told from a later one with the same pid."""

import os
import signal
import subprocess
import sys

import msgspec
import pytest

from midair.errors import RuntimeTrouble
from midair.runtime.process import identity as ids


def test_a_command_name_with_spaces_and_brackets_does_not_confuse():
    fields = " ".join(str(number) for number in range(4, 53))
    stat = ids.parse_stat(f"77 (a) b (c) S {fields}")
    assert (stat.pid, stat.state, stat.session, stat.started, stat.wait_status) == (77, "S", 6, "22", 52)


def test_this_process_is_alive_and_one_that_started_at_another_time_is_not():
    mine = ids.identity_of(os.getpid())
    assert ids.is_alive(mine)
    assert not ids.is_alive(msgspec.structs.replace(mine, started="1"))
    assert not ids.is_alive(msgspec.structs.replace(mine, boot="another boot"))


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = ids.identity_of(child.pid)
    assert ids.is_alive(identity)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not ids.is_alive(identity)
    assert ids.stat_of(child.pid).ended
    child.wait()


@pytest.mark.parametrize("text", ["", "77\n", "77\n77 (sh) S", "x\ny\nz\n"])
def test_half_a_pid_file_is_none(tmp_path, text):
    (tmp_path / "pid").write_text(text)
    assert ids.read_pid_file(tmp_path / "pid") is None
    assert ids.read_pid_file(tmp_path / "no such file") is None


@pytest.mark.parametrize("name", ["SIGUSR1", "USR1", "usr1", str(int(signal.SIGUSR1))])
def test_signals_go_by_many_names(name):
    assert ids.signal_number(name) == signal.SIGUSR1


@pytest.mark.parametrize("name", ["SIGNOPE", "", "999"])
def test_an_unknown_signal_is_named(name):
    with pytest.raises(RuntimeTrouble, match=f'"{name}"'):
        ids.signal_number(name)
