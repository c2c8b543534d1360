"""Signals that whoever started the daemon had ignored."""

import subprocess
import sys

STORY = """
import os, signal, subprocess
from midair.daemon.signals import keep_to_oneself

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
keep_to_oneself()
os.kill(os.getpid(), signal.SIGHUP)
print(subprocess.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1])
"""


def test_a_daemon_under_nohup_starts_replicas_that_heed_signals():
    told = subprocess.run([sys.executable, "-c", STORY], capture_output=True, text=True, check=True).stdout
    ignored = int(told, 16)
    assert not any(ignored >> (number - 1) & 1 for number in (1, 2, 3))
