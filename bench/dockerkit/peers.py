"""One class for each way to change a service in containers: started, changed, ended. All use one image."""

import json
import subprocess
import time
from pathlib import Path

from tests.docker import composev2
from tests.docker.engine import Engine
from tests.e2e.place import Place, free_port

from bench.changekit.peer import QUIET, await_answer
from bench.changekit.peers import NGINX

IMAGE = "midair-bench/web"
PROXY_IMAGE = "midair-bench/nginx"
SERVE = "python3 -m uvicorn app:app --host 0.0.0.0 --port 8000 --no-access-log"
ASK = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"
FILE = """
name: shop
services:
  web:
    image: {image}
    pull_policy: never
    command: {serve}
    environment: {{COLOUR: {colour}}}
    healthcheck: {{test: [CMD, python3, -c, "{ask}"], interval: 1s, timeout: 3s}}
    deploy: {{replicas: {replicas}, update_config: {{monitor: {monitor}}}}}
"""


class Peer:
    """A service on `port` whose environment is changed."""

    name = ""
    replicas = 1
    monitor = "5s"  # Swarm's default and midair's: so long a new replica is watched
    publishes = True  # the Compose file names the port

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.port = engine, free_port()
        self.place = Place(folder)
        self.place.environment["DOCKER_HOST"] = engine.host

    def start(self) -> None:
        """Start it."""
        self.change("red")

    def change(self, colour: str) -> None:
        """Have another environment served, to the end of what the user has to wait for."""

    def stop(self) -> None:
        """End it."""

    def write(self, colour: str) -> None:
        """The Compose file with this environment."""
        about = {"replicas": self.replicas, "monitor": self.monitor}
        text = FILE.format(image=IMAGE, serve=SERVE, ask=ASK, colour=colour, **about)
        self.place.write(text + f'    ports: ["127.0.0.1:{self.port}:8000"]\n' * self.publishes)

    def run(self, *command: str) -> str:
        """Run a command to its end, in the project's folder."""
        done = subprocess.run(
            command, cwd=self.place.folder, env=self.place.environment, check=True, capture_output=True, text=True,
            timeout=180,
        )  # fmt: skip
        return done.stdout


class Midair(Peer):
    """`midair up`."""

    name = "midair up"

    def change(self, colour: str) -> None:
        self.write(colour)
        self.run("midair", "up")

    def stop(self) -> None:
        self.place.close()


class MidairSoon(Midair):
    """The same, watching the new replica for a second."""

    name, monitor = "midair up, monitor: 1s", "1s"


class MidairTwo(Midair):
    """The same with two replicas."""

    name, replicas = "midair up, 2 replicas", 2


class ComposeUp(Peer):
    """`docker compose up -d`, which waits until the service is healthy."""

    name = "docker compose up -d"

    def change(self, colour: str) -> None:
        self.write(colour)
        self.compose("up", "-d", "--wait")

    def stop(self) -> None:
        self.compose("down", "-t", "1")

    def compose(self, *arguments: str) -> str:
        """Docker Compose v2."""
        return self.run(composev2.command(), *arguments)


class ScaleScript(ComposeUp):
    """The script that is passed around: a second container beside the old one, both proxied, the old one gone.

    No port can be published by two containers, so nginx stands before them, as it does in those scripts.
    """

    name = "scale up, then down, nginx"
    publishes = False

    def start(self) -> None:
        super().change("red")
        self.tell_proxy()
        command = ["nginx", "-c", str(self.place.folder / "nginx.conf")]
        self.proxy = subprocess.Popen(command, **QUIET)  # type: ignore[call-overload]

    def change(self, colour: str) -> None:
        self.write(colour)
        [old] = self.containers()
        self.scale(2)
        [new] = [one for one in self.containers() if one != old]
        while self.engine.docker("inspect", "-f", "{{.State.Health.Status}}", new) != "healthy":
            time.sleep(0.2)
        self.reload()
        self.engine.docker("stop", old)
        self.engine.docker("rm", old)
        self.scale(1)
        self.reload()

    def stop(self) -> None:
        self.proxy.terminate()
        self.proxy.wait(10)
        super().stop()

    def scale(self, replicas: int) -> None:
        """So many containers; those that run stay as they are."""
        self.compose("up", "-d", "--no-deps", "--no-recreate", "--scale", f"web={replicas}", "web")

    def containers(self) -> list[str]:
        """Those that run, by id."""
        return self.compose("ps", "-q", "web").split()

    def tell_proxy(self) -> None:
        """Write down who runs now."""
        found = json.loads(self.engine.docker("inspect", *self.containers()))
        addresses = [one["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"] for one in found]
        servers = " ".join(f"server {address}:8000;" for address in addresses)
        text = NGINX.format(folder=self.place.folder, servers=servers, port=self.port)
        (self.place.folder / "nginx.conf").write_text(text)

    def reload(self) -> None:
        """What `nginx -s reload` does."""
        self.tell_proxy()
        self.proxy.send_signal(1)


RESOLVING = """
user root; worker_processes 1; daemon off; error_log /dev/null; pid /tmp/nginx.pid;
events { worker_connections 1000; }
http { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e; resolver 127.0.0.11 valid=1s; resolver_timeout 2s;
  server { listen 8000; set $web tasks.web; location / { proxy_pass http://$web:8000; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_buffering off; } } }
"""


class SwarmUpdate(Peer):
    """`docker service update --update-order start-first` of a service with two tasks and a health check.

    nginx on the service's network finds the tasks by the engine's DNS: virtual IPs need a module that kernels of test
    machines often lack, and a port in host mode cannot be had by two tasks on one machine.
    """

    name = "docker service update, start-first, 2 tasks"
    replicas = 2

    def start(self) -> None:
        self.engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
        self.engine.docker("network", "create", "-d", "overlay", "--attachable", "bench")
        self.engine.docker(
            "service", "create", "-q", "--name", "web", "--replicas", str(self.replicas), "--no-resolve-image",
            "--network", "bench", "--endpoint-mode", "dnsrr", "--env", "COLOUR=red",
            "--health-cmd", f'python3 -c "{ASK}"', "--health-interval", "1s", "--health-timeout", "3s",
            "--update-order", "start-first", IMAGE, *SERVE.split(),
        )  # fmt: skip
        (self.place.folder / "nginx.conf").write_text(RESOLVING)
        self.engine.docker(
            "run", "-d", "--name", "bench-nginx", "--network", "bench", "-p", f"127.0.0.1:{self.port}:8000",
            "-v", f"{self.place.folder}/nginx.conf:/nginx.conf:ro", PROXY_IMAGE, "nginx", "-c", "/nginx.conf",
        )  # fmt: skip
        await_answer(self.port)

    def change(self, colour: str) -> None:
        self.run("docker", "service", "update", "-q", "--no-resolve-image", "--env-add", f"COLOUR={colour}", "web")

    def stop(self) -> None:
        self.engine.docker("rm", "-f", "bench-nginx", check=False)
        self.engine.docker("swarm", "leave", "--force", check=False)


PEERS: tuple[type[Peer], ...] = (Midair, MidairSoon, MidairTwo, ComposeUp, ScaleScript, SwarmUpdate)
