"""What a replica prints goes into its log, whatever becomes of disk and daemon."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.runtime.place import printed, prove, shell, written

from midair.api.tail import Tail
from midair.runtime.entry import of_logger
from midair.runtime.process import logger, logs
from midair.runtime.process.child import start_logger
from midair.runtime.process.identity import is_alive, stat_of


def script(log, **options):
    """The logger as a process, with a pipe to write to."""
    argv = (sys.executable, "-I", "-S", logger.__file__, str(log))
    return subprocess.Popen(argv, stdin=subprocess.PIPE, env={}, **options)


def test_print_loop_keeps_to_the_limit_and_is_slowed_down(tmp_path):
    log = tmp_path / "a.0.log"
    writer = script(log)
    line = b"x" * 99 + b"\n"
    began, count = time.monotonic(), 0
    while time.monotonic() < began + 2.0:
        writer.stdin.write(line * 100)
        count += 100 * len(line)
    fields = Path(f"/proc/{writer.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:13]))
    writer.stdin.close()
    writer.wait(10)
    assert count < 40 * 1024 * 1024
    assert ticks / 100 < 0.05 * 2.0 + 0.1
    parts = [log, *(logs.part(log, number) for number in (1, 2, 3))]
    assert all(part.stat().st_size <= logger.LIMIT for part in parts if part.exists())


def test_full_disk_is_survived_and_counted(tmp_path):
    log = tmp_path / "a.0.log"
    limit = (4000, resource.RLIM_INFINITY)
    writer = script(log, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    writer.stdin.write(b"x" * (3999 - len(logger._now())) + b"\n")
    writer.stdin.flush()
    deadline = time.monotonic() + 10
    while (not log.exists() or log.stat().st_size < 4000) and time.monotonic() < deadline:
        time.sleep(0.01)
    for _ in range(3):
        writer.stdin.write(b"lost\n")
        writer.stdin.flush()
        time.sleep(0.05)
    log.unlink()
    writer.stdin.write(b"kept\n")
    writer.stdin.close()
    writer.wait(10)
    assert printed(log) == "midair: 15 bytes could not be kept: File too large\nkept\n"


def test_reader_loses_no_line_when_a_log_is_turned_over(tmp_path):
    log = tmp_path / "a.0.log"
    kept = logger.Log(str(log))
    kept.write(b"first\n")
    tail = Tail(log)
    assert [of_logger(text).text for text, _ in tail.read()] == ["first"]
    kept.write(b"second\n" + b"x" * (logger.LIMIT - 100) + b"\n")
    kept.write(b"y" * 200 + b"\nlast\n")
    seen = []
    while lines := tail.read():
        seen += [of_logger(text).text[:6] for text, _ in lines]
    assert logs.part(log, 1).exists()
    assert [seen[0], *seen[-2:]] == ["second", "yyyyyy", "last"]


def test_logger_outlives_the_daemon(harness):
    async def claim():
        print_on = "echo up; while [ ! -e $GO ]; do sleep 0.02; done; echo later; exec sleep 60"
        go = harness.home / "go"
        async with harness.open() as runtime:
            await harness.start(runtime, shell(harness, print_on, environment={"GO": str(go)}))
            await written(harness, "up")
        go.touch()
        await written(harness, "later")
        async with harness.open() as runtime:
            (seen,) = await runtime.observe()
            await harness.stop(runtime, seen.id)

    prove(claim)


def test_logger_ends_with_its_last_writer(tmp_path):
    found, writer = start_logger(tmp_path / "a.0.log")
    assert is_alive(found)
    os.write(writer, b"word\n")
    os.close(writer)
    os.waitpid(found.pid, 0)
    assert stat_of(found.pid) is None
    assert printed(tmp_path / "a.0.log") == "word\n"


def test_each_line_has_the_time_at_which_it_came(tmp_path):
    log = tmp_path / "a.0.log"
    log.write_text("of an older midair\nhalf")
    before = time.time()
    kept = logger.Log(str(log))
    kept.write(b"one\n\ntw")
    kept.write(b"o\nthree")
    entries = [of_logger(line) for line in log.read_text().split("\n")]
    assert [entry.text for entry in entries] == ["of an older midair", "half", "one", "", "two", "three"]
    assert [entry.time for entry in entries[:2]] == [None, None]
    assert all(before - 0.001 <= entry.time <= time.time() for entry in entries[2:])


def test_times_that_an_app_prints_stay_in_its_lines():
    assert of_logger("2027-01-15T08:00:00.123456Z [info] begins").text.startswith("2027")
    assert of_logger("2027-13-45T08:00:00.123456Z\tnot a time").time is None
