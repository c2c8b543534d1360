"""What the README tells a newcomer to do works as it stands there."""

import shutil
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.place import free_port

pytestmark = [pytest.mark.e2e]

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello"


def test_the_example_is_started_changed_broken_undone_and_stopped(place):
    shutil.copytree(EXAMPLE, place.folder, dirs_exist_ok=True)
    port = free_port()
    place.edit("compose.yaml", "127.0.0.1:8000:8000", f"127.0.0.1:{port}:8000")
    place.edit("compose.yaml", "replicas: 3", "replicas: 3\n      update_config: {parallelism: 3, monitor: 500ms}")

    def hello():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.read().decode()

    first = place.midair("up", expect=0).out
    assert f"open   http://127.0.0.1:{port}  web" in first
    assert hello().startswith("Hello in blue from web/")

    place.edit("compose.yaml", "blue", "green")
    place.edit("app.py", '"Hello"', '"Good day"')
    assert "environment.COLOUR changed" in place.midair("plan", expect=0).out
    assert ", 0 lost" in place.midair("up", expect=0).out.splitlines()[-1]
    assert hello().startswith("Good day in green from web/")

    place.edit("app.py", "GREETING =", 'raise SystemExit("on purpose")\nGREETING =')
    broken = place.midair("up", expect=3)
    assert "    on purpose" in broken.err.splitlines()
    assert hello().startswith("Good day in green from web/")

    place.midair("undo", expect=0)
    assert hello().startswith("Hello in blue from web/")

    place.midair("scale", "web=2", expect=0)
    assert place.midair("ps", expect=0).out.count(" serving ") == 2
    assert "2 of 2 serving" in place.midair("status", expect=0).out
    history = place.midair("history", expect=0).out
    assert [line.split()[1] for line in history.splitlines()[1:]] == ["scale", "undo", "up", "up", "up"]
    place.midair("doctor", expect=0)
    place.midair("down", expect=0)
    with pytest.raises(OSError, match="refused"):
        hello()
