"""A registry of the tests' own: Debian's docker-registry, open or behind a password."""

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import yaml
from tests.e2e.place import free_port

USER = "midair"
PASSWORD = "sesame"
_HTPASSWD = "midair:$2y$05$TXbyeN9Pk9WGmefxI7yE.en0N47Tg91h.5F/YCz3aj7GrJFfsAFzW"


class Registry:
    """Runs between `with`."""

    def __init__(self, folder, *, closed=False):
        folder.mkdir(parents=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._folder = folder
        settings = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.host},
        }
        if closed:
            (folder / "htpasswd").write_text(_HTPASSWD + "\n")
            settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        (folder / "config.yml").write_text(yaml.safe_dump(settings))

    def __enter__(self):
        program = shutil.which("docker-registry")
        if program is None:
            reason = "docker-registry is not installed (a Debian package)"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(self._folder / "config.yml")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)

    def _answers(self):
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=1)
        except urllib.error.HTTPError:
            return True  # it asks who we are
        except OSError:
            return False
        return True
