"""Logs are turned over under the hands of the writer, and pruned by count."""

import os
import resource
import subprocess
import time

from midair.runtime.process import logs


def test_a_long_log_begins_anew_while_its_writer_goes_on(tmp_path):
    log = tmp_path / "a.0.log"
    with log.open("ab") as output:
        writer = subprocess.Popen(
            ["/bin/sh", "-c", "i=0; while read -r _; do i=$((i+1)); echo line $i; done"],
            stdin=subprocess.PIPE,
            stdout=output,
        )

    def write(count):
        before = log.read_bytes()
        writer.stdin.write(b"x\n" * count)
        writer.stdin.flush()
        deadline = time.monotonic() + 10
        while log.read_bytes().count(b"\n") < before.count(b"\n") + count and time.monotonic() < deadline:
            time.sleep(0.01)

    write(3)
    assert not logs.turn_over(log, limit=1000)
    assert logs.turn_over(log, limit=10)
    write(2)
    assert log.read_text() == "line 4\nline 5\n"
    assert logs.turn_over(log, limit=10)
    write(2)
    writer.stdin.close()
    writer.wait()
    assert log.read_text() == "line 6\nline 7\n"
    assert [logs.part(log, number).read_text().split("\n")[0] for number in (1, 2)] == ["line 4", "line 1"]
    assert logs.part(log, 1).stat().st_mode & 0o777 == 0o600


def test_only_so_many_older_parts_are_kept(tmp_path):
    log = tmp_path / "a.0.log"
    for number in range(6):
        log.write_text(f"part {number}")
        assert logs.turn_over(log, limit=1, kept=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.0.log", "a.0.log.1", "a.0.log.2"]
    assert [logs.part(log, number).read_text() for number in (1, 2)] == ["part 5", "part 4"]


def test_on_a_full_disk_nothing_is_lost_and_nothing_is_left_half_made(tmp_path):
    log = tmp_path / "a.0.log"
    for number in (1, 2, 3):
        logs.part(log, number).write_text(f"part {number}")
    log.write_text("x" * 500)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, unlimited[1]))
    try:
        for _ in range(3):
            assert not logs.turn_over(log, limit=10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_log_that_is_not_there_is_no_trouble(tmp_path):
    assert not logs.turn_over(tmp_path / "nowhere" / "a.0.log")
    assert logs.error_of(tmp_path / "nowhere", 0) == ""
    logs.prune(tmp_path / "nowhere", set())


def test_the_oldest_logs_of_replicas_that_are_gone_are_deleted_with_their_parts(tmp_path):
    for number in range(6):
        path = tmp_path / f"a.{number}.log"
        path.write_text("x")
        logs.part(path, 1).write_text("x")
        os.utime(path, (number, number))
    logs.prune(tmp_path, {tmp_path / "a.0.log"}, kept=2)
    assert {path.name for path in tmp_path.glob("*.log")} == {"a.0.log", "a.4.log", "a.5.log"}
    assert {path.name for path in tmp_path.glob("*.1")} == {"a.0.log.1", "a.4.log.1", "a.5.log.1"}


def test_error_of_this_attempt_is_found(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("of an earlier attempt\n")
    start = logs.size(log)
    assert logs.error_of(log, start) == ""
    log.write_text(log.read_text() + "first\n" + "x" * 5000 + "\nlast \n\n")
    assert logs.error_of(log, start) == "last"
    log.write_text("begun anew\n")
    assert logs.error_of(log, 5000) == "begun anew"
