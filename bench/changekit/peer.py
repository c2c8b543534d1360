"""A way to change the code of a running app: started with two workers or replicas, changed, ended."""

import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.e2e.place import free_port

from bench.kit.compiling import compiling

APPS = Path(__file__).parents[2] / "tests" / "e2e" / "apps"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Peer:
    """A running app on `port`, whose code is `file`."""

    name = ""
    app = "asgi"

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.children: list[subprocess.Popen[bytes]] = []
        self.code = folder / "web"
        shutil.copytree(APPS / self.app, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        self.file = self.code / "app.py"

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be compared here."""
        return ""

    def start(self) -> None:
        """Start it, and wait until it answers."""

    def change(self) -> None:
        """Have the new code served, the way it is done."""

    def stop(self) -> None:
        """End it."""
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(8)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def run(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program in the code's folder."""
        known = {**compiling(), **environment}
        child = subprocess.Popen([*command], cwd=self.code, env=known, **QUIET)  # type: ignore[call-overload]
        self.children.append(child)
        return child

    def edit(self, before: str, after: str) -> None:
        """Write another version."""
        self.file.write_text(self.file.read_text().replace(f'"{before}"', f'"{after}"'))


def version_of(port: int, path: str = "/") -> str | None:
    """The version that answers on a new connection, None when nothing does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return str(answer.headers["X-Version"])
    except OSError:
        return None


def await_answer(port: int, path: str = "/") -> None:
    """Wait until something answers."""
    deadline = time.monotonic() + 30
    while version_of(port, path) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers on port {port}")
        time.sleep(0.02)
