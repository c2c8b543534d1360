"""A daemon whose user is no more than a member of the group "docker" does everything that one of root's does."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.docker import engine as engines
from tests.docker.shop import compose
from tests.docker.test_docker_fronts import api, calls, failures, ports_image
from tests.docker.waiting import eventually
from tests.e2e.place import Place

import midair

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
_ = ports_image  # a fixture of these tests, too
NOBODY = 65534


class AsMember(Place):
    """A place whose midair runs as nobody, in the group of the engine's socket."""

    def __init__(self, folder, socket):
        super().__init__(folder)
        for path in (folder, *folder.parents, *socket.parents):
            if path.owner() == "root" and path != Path("/") and not path.stat().st_mode & 0o001:
                path.chmod(path.stat().st_mode | 0o011)
        scripts = folder / "bin"
        scripts.mkdir()
        script = scripts / "midair"
        script.write_text(
            f"#!/bin/sh\nexec setpriv --reuid {NOBODY} --regid {NOBODY} --groups {socket.stat().st_gid} "
            f'{_python()} -m midair "$@"\n'
        )
        script.chmod(0o755)
        self.environment["PATH"] = f"{scripts}:{os.defpath}"
        self.environment["PYTHONPATH"] = f"{Path(midair.__file__).parents[1]}:{sysconfig.get_path('purelib')}"
        self.environment["DOCKER_HOST"] = f"unix://{socket}"
        for path in (folder, self.folder):
            os.chown(path, NOBODY, NOBODY)


def _python():
    """A Python of this version that anybody may run: that of the tests may lie in root's home."""
    own = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in own.parents):
        return own
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return shutil.which(name, path="/usr/bin") or pytest.skip(f"{own} is root's alone, and there is no other {name}")


@pytest.fixture
def member(tmp_path, engine, living_in):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    socket = Path(engine.host.removeprefix("unix://"))
    with living_in(AsMember(tmp_path, socket)) as place:
        yield place


def test_calls_by_name_survive_a_change_by_a_member_of_the_group(member, engine):
    member.write(compose({"api": api()}))
    member.midair("up", expect=0, timeout=200)
    with calls(engine, "api", "http:8000", "tcp:9100", "udp:8125") as report:
        eventually(lambda: member.client.counts("shop").total.accepted > 10)
        member.write(compose({"api": api("two")}))
        member.midair("up", expect=0)
    assert failures(report) == {}
    assert all(found["words"] == ["one", "two"] for found in report.values()), report


def test_group_member_reads_logs_of_containers(member, engine):
    member.write(compose({"api": {"image": engines.IMAGE, "command": ["sh", "-c", "echo hello"], "restart": "no"}}))
    member.midair("up", expect=0, timeout=200)
    assert "| hello" in member.midair("logs", "api", expect=0).out
