"""The ways to change code on one machine that people use today, one class for each."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.place import free_port

from bench.changekit.midair import Midair, MidairUnwatched, MidairWsgi
from bench.changekit.peer import Peer, await_answer
from bench.kit.find import find, missing


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
        return missing("pm2")

    def start(self) -> None:
        self.file = self.code / "app.js"
        shutil.copy(Path(__file__).parent / "app.js", self.file)
        self.pm2("start", "app.js", "-i", "2", "--name", "web")

    def change(self) -> None:
        self.pm2("reload", "web")

    def stop(self) -> None:
        self.pm2("kill")

    def pm2(self, *arguments: str) -> None:
        """Run a command of pm2 to its end."""
        self.run(str(find("pm2")), *arguments, PM2_HOME=str(self.folder / "pm2"), PORT=str(self.port)).wait(60)
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
        return missing("nginx")

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


PEERS: tuple[type[Peer], ...] = (
    Midair, MidairUnwatched, MidairWsgi, GunicornHup, UvicornHup, UvicornReload, Pm2Reload, NginxSwap,
)  # fmt: skip
