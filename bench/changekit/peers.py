"""One class for each way to change code: started with two workers or replicas, changed, ended."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.e2e.place import Place, free_port
from tests.e2e.shop import compose, service

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
        known = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        child = subprocess.Popen([*command], cwd=self.code, env=known, **QUIET)  # type: ignore[call-overload]
        self.children.append(child)
        return child

    def edit(self, before: str, after: str) -> None:
        """Write another version."""
        self.file.write_text(self.file.read_text().replace(f'"{before}"', f'"{after}"'))


class Midair(Peer):
    """`midair up`, with a process of uvicorn for each replica."""

    name = "midair up (uvicorn)"

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        super().__init__(self.place.folder)
        about = service("web", self.port, app=self.app, replicas=2, together=0, monitor="1s", drain="10s")
        self.place.write(compose(web=about))

    def start(self) -> None:
        self.place.midair("up", expect=0)

    def change(self) -> None:
        self.place.midair("up", expect=0)

    def stop(self) -> None:
        self.place.close()


class MidairWsgi(Midair):
    """`midair up`, with a gunicorn for each replica."""

    name, app = "midair up (gunicorn)", "wsgi"


class GunicornHup(Peer):
    """The master forks new workers and ends the old ones."""

    name, app = "gunicorn, HUP", "wsgi"

    def start(self) -> None:
        options = ("--workers", "2", "--worker-class", "gthread", "--threads", "16")
        self.run(sys.executable, "-m", "gunicorn", "app:app", "--bind", f"127.0.0.1:{self.port}", *options)

    def change(self) -> None:
        self.children[0].send_signal(signal.SIGHUP)


class UvicornReload(Peer):
    """It watches the files."""

    name = "uvicorn --reload"

    def start(self) -> None:
        self.run(sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port), "--reload")


class UvicornHup(Peer):
    """The supervisor starts its workers anew."""

    name = "uvicorn --workers 2, HUP"

    def start(self) -> None:
        self.run(sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port), "--workers", "2")

    def change(self) -> None:
        self.children[0].send_signal(signal.SIGHUP)


class Pm2Reload(Peer):
    """Cluster mode with two workers of the same app in JavaScript, since only those are reloaded and not restarted."""

    name = "pm2 reload (node)"

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("npm") else "npm is not installed"

    def start(self) -> None:
        self.file = self.code / "app.js"
        shutil.copy(Path(__file__).parent / "app.js", self.file)
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(self.folder), "pm2"]
        subprocess.run(install, check=True, **QUIET)  # type: ignore[call-overload]
        self.pm2("start", "app.js", "-i", "2", "--name", "web")

    def change(self) -> None:
        self.pm2("reload", "web")

    def stop(self) -> None:
        self.pm2("kill")

    def pm2(self, *arguments: str) -> None:
        """Run a command of pm2 to its end."""
        program = str(self.folder / "node_modules" / ".bin" / "pm2")
        self.run(program, *arguments, PM2_HOME=str(self.folder / "pm2"), PORT=str(self.port)).wait(60)
        self.children.clear()


NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1000; }}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream web {{ {servers} keepalive 16; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""


class NginxSwap(Peer):
    """The script that is written everywhere: start new ones, wait for their health, switch nginx over, end the old."""

    name = "nginx, scripted swap"

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("nginx") else "nginx is not installed"

    def start(self) -> None:
        self.workers = self.two()
        self.nginx = self.run("nginx", "-c", str(self.folder / "nginx.conf"))

    def change(self) -> None:
        old, self.workers = self.workers, self.two()
        self.nginx.send_signal(signal.SIGHUP)
        time.sleep(1)  # for nginx to have switched
        for child in old:
            child.terminate()

    def two(self) -> list[subprocess.Popen[bytes]]:
        """Two new workers that are healthy, written into nginx's configuration."""
        ports = (free_port(), free_port())
        made = [self.run(sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)) for port in ports]
        for port in ports:
            await_answer(port, "/healthz")
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
        text = NGINX.format(folder=self.folder, servers=servers, port=self.port)
        (self.folder / "nginx.conf").write_text(text)
        return made


PEERS: tuple[type[Peer], ...] = (Midair, MidairWsgi, GunicornHup, UvicornHup, UvicornReload, Pm2Reload, NginxSwap)


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
