"""A colleague with a login of their own is told whose midair serves the project."""

import contextlib
import io
import os

import pytest
from tests.e2e.place import free_port
from tests.e2e.shop import compose, service

from midair.cli.main import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
NOBODY = 65534


def as_nobody(folder, *words, **environment):
    """What the command line prints for another user, who cannot read this user's interpreter, so in a fork."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                os.chdir(folder)
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                os.environ.pop("MIDAIR_HOME", None)
                os.environ.update(environment)
                run(list(words))
            except BaseException as error:
                print(repr(error))
        os.write(writer, said.getvalue().encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_colleague_is_told_whose_midair_serves_the_project(place, tmp_path):
    place.app("asgi", "web")
    place.write(compose(web=service("web", free_port(), replicas=1)))
    place.midair("up", expect=0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o011)
    place.folder.chmod(0o755)
    run(["status", "--help"])  # what the fork needs is imported before it gives its rights up
    run(["-p", "shop", "status"])
    command = f"sudo -u root MIDAIR_HOME={place.home} midair status"
    told = as_nobody(place.folder, "status", HOME=str(tmp_path / "nobody"))
    assert "error: cannot reach the daemon: it is not running\nhint: run sudo -u root " in told
    assert f"{command} -p shop (midair of user root serves shop)" in told
    told = as_nobody(place.folder, "status", "-p", "shop", MIDAIR_HOME=str(place.home))
    assert f'error: cannot reach the daemon: "{place.home}" belongs to user root' in told
    assert f"hint: run it as that user: {command}" in told
