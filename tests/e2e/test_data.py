"""What an application writes survives changes, undo, the daemon, and down; it goes when the project is forgotten."""

import json
import threading
import urllib.request

import pytest
from tests.e2e.place import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]


def compose(port, shared=None, **more):
    service = {
        "build": "./web",
        "command": "python3 app.py",
        "ports": [f"127.0.0.1:{port}:8000"],
        "deploy": {"update_config": {"monitor": "500ms"}},
        "x-midair": {"ready": {"http": "/"}, **({"shared": shared} if shared else {})},
        **more,
    }
    worker = {**service, "command": "sleep 1000", "ports": [], "x-midair": {"shared": shared}}
    return json.dumps({"services": {"web": service, **({"worker": worker} if shared else {})}})


class Writer(threading.Thread):
    """Somebody who writes all the time, and knows how many notes were taken."""

    def __init__(self, port):
        super().__init__()
        self.port, self.taken, self.failures, self.is_done = port, 0, [], threading.Event()

    def run(self):
        while not self.is_done.wait(0.02):
            try:
                call(self.port, "POST")
                self.taken += 1
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_done.set()
        self.join()


def call(port, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", method=method, data=b"" if method == "POST" else None)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def test_written_files_are_asked_about_then_shared_and_survive(place):
    port = free_port()
    place.app("notes", "web")
    place.write("db.sqlite3\n", name="web/.gitignore")
    place.write(compose(port))
    place.midair("up", expect=0)
    call(port, "POST")
    assert call(port, "POST") == "v1 2 rows 2 files"

    place.edit("web/app.py", '"v1"', '"v2"')
    asked = place.midair("up", expect=4)
    assert "wrote into its release: db.sqlite3, media/ (2 files)" in asked.out
    assert "shared: [db.sqlite3, media/]" in asked.out
    assert call(port) == "v1 2 rows 2 files"

    shared = ["db.sqlite3", "media/"]
    place.write(compose(port, shared))
    with Writer(port) as writer:
        place.midair("up", expect=0)
        assert call(port).startswith("v2 ")
        place.edit("web/app.py", '"v2"', '"v3"')
        place.midair("up", expect=0)
        place.midair("daemon", "restart", expect=0)
        assert call(port).startswith("v3 ")
        place.midair("undo", expect=0)
        assert call(port).startswith("v2 ")
        place.midair("undo", "2", expect=0)  # to the release that shared nothing
        assert call(port).startswith("v1 ")
        place.midair("up", expect=0)
    assert writer.failures == []
    rows = writer.taken + 2
    assert rows > 10
    place.midair("down", expect=0)
    place.midair("up", expect=0)
    assert call(port) == f"v3 {rows} rows {rows} files"

    forgotten = place.midair("down", "--forget", expect=0)
    assert "removed shared db.sqlite3" in forgotten.out
    assert f"removed shared media/ ({rows} files" in forgotten.out
    assert not (place.home / "projects" / "shop").exists()


def test_a_relative_volume_outlives_releases(place):
    port = free_port()
    place.app("notes", "web")
    volumes = ["./uploads:/app/media", "base:/app/data", "/etc:/srv/x"]
    text = json.loads(compose(port, working_dir="/app", volumes=volumes))
    text["volumes"] = {"base": None}
    place.write(json.dumps(text))
    told = place.midair("up", "--yes", expect=0).out
    assert "media → " in told
    assert "data/ → volume base" in told
    assert "without effect on plain processes: web (volumes at /srv/x)" in told
    call(port, "POST")
    assert (place.folder / "uploads" / "1.txt").read_text() == "note"
    place.edit("web/app.py", '"v1"', '"v2"')
    place.midair("up", "--yes", expect=0)
    assert call(port) == "v2 0 rows 1 files"
