"""Proxies side by side: each started in front of the same server, on a core of its own."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.kit.cpu import pin
from bench.kit.find import find
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route
from midair.router.embedded.router import EmbeddedRouter

SERVER_CORE, PROXY_CORE = 0, 1

NGINX_SERVER = """
worker_processes 1; daemon off; pid {folder}/server.pid; error_log /dev/null; worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path {folder}/a;
  proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  client_max_body_size 0;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{body}"; }}
            location /files/ {{ alias {folder}/files/; dav_methods PUT; }} }} }}
"""
NGINX_PROXY = """
worker_processes 1; daemon off; pid {folder}/proxy.pid; error_log /dev/null; worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/f;
  proxy_temp_path {folder}/g; fastcgi_temp_path {folder}/h; uwsgi_temp_path {folder}/i; scgi_temp_path {folder}/j;
  client_max_body_size 0;
  map $http_upgrade $upgrade_or_none {{ default upgrade; "" ""; }}
  upstream web {{ server 127.0.0.1:{server}; keepalive 128; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; proxy_http_version 1.1;
    proxy_request_buffering off; proxy_max_temp_file_size 0;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $upgrade_or_none;
    proxy_set_header Host $host; proxy_set_header X-Request-Id $request_id;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host; }} }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend web
  bind 127.0.0.1:{port}
{extra}
  default_backend web
backend web
  http-reuse always
  server one 127.0.0.1:{server}
"""
# What the embedded router does to each request. It counts as well, per service and revision, which haproxy does not.
SAME_HEADERS = """
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{server}
}}
"""

TRAEFIK = """
http:
  routers: {{web: {{rule: "PathPrefix(`/`)", service: web}}}}
  services: {{web: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{server}"}}]}}}}}}
"""


class Peer(msgspec.Struct, frozen=True):
    """Another proxy: its program, its configuration, and how it is started with that on one core."""

    program: str
    config: str
    arguments: tuple[str, ...]
    suffix: str = "conf"  # of the configuration's file
    environment: tuple[str, ...] = ()

    def command(self, config: Path, port: int) -> list[str]:
        """How it is started."""
        path = str(find(self.program))
        return ["env", *self.environment, path, *(part.format(config=config, port=port) for part in self.arguments)]


HAPROXY_ARGUMENTS = ("-db", "-q", "-f", "{config}")
GO_ON_ONE_CORE = ("GOMAXPROCS=1",)
PEERS = {
    "haproxy": Peer("haproxy", HAPROXY.replace("{extra}", ""), HAPROXY_ARGUMENTS),
    "haproxy+headers": Peer("haproxy", HAPROXY.replace("{extra}", SAME_HEADERS.strip("\n")), HAPROXY_ARGUMENTS),
    "nginx": Peer("nginx", NGINX_PROXY, ("-c", "{config}")),
    "caddy": Peer(
        "caddy", CADDY, ("run", "--adapter", "caddyfile", "--config", "{config}"), environment=GO_ON_ONE_CORE
    ),
    "traefik": Peer(
        "traefik", TRAEFIK,
        (
            "--entrypoints.web.address=127.0.0.1:{port}", "--providers.file.filename={config}",
            "--providers.file.watch=false", "--log.level=ERROR", "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ),
        suffix="yaml", environment=GO_ON_ONE_CORE,
    ),
}  # fmt: skip


class Proxy:
    """A running proxy, or the server itself."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.port = port
        self.pid = pid


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def server(folder: Path, body: str = "x" * 100) -> Iterator[int]:
    """An nginx that answers at once; its port."""
    port = free_port()
    (folder / "files").mkdir(exist_ok=True)
    config = folder / "server.conf"
    config.write_text(NGINX_SERVER.format(folder=folder, port=port, body=body))
    with _running([*pin(SERVER_CORE), "nginx", "-c", str(config)], port):
        yield port


@contextmanager
def sink() -> Iterator[int]:
    """A server for large bodies and WebSockets; its port."""
    port = free_port()
    with _running([*pin(SERVER_CORE), sys.executable, str(Path(__file__).parent / "sink.py"), str(port)], port):
        yield port


@contextmanager
def proxies(folder: Path, server_port: int, wanted: tuple[str, ...] = ()) -> Iterator[list[Proxy]]:
    """Midair and every other proxy that is installed."""
    with ExitStack() as stack:
        found = []
        for name, peer in PEERS.items():
            if (wanted and name not in wanted) or find(peer.program) is None:
                continue
            port = free_port()
            path = folder / f"{name}.{peer.suffix}"
            path.write_text(peer.config.format(folder=folder, port=port, server=server_port))
            command = [*pin(PROXY_CORE), *peer.command(path, port)]
            found.append(Proxy(name, port, stack.enter_context(_running(command, port))))
        if not wanted or "midair" in wanted:
            found.insert(0, stack.enter_context(midair(folder / "midair", server_port)))
        yield found


@contextmanager
def midair(folder: Path, server_port: int) -> Iterator[Proxy]:
    """The embedded router, with everything it does in production."""
    port, router = free_port(), EmbeddedRouter(folder)

    async def start() -> int:
        await router.open()
        route = Route("web/aaaa/0", f"127.0.0.1:{server_port}")
        await router.perform(SetRoutes("web", 1, (route,), ports=(Port(port, 80, "127.0.0.1"),)))
        pid = (await router.observe()).pid
        await router.close()
        return pid

    async def stop() -> None:
        await router.stop()
        await router.close()

    pid = asyncio.run(start())
    subprocess.run([*pin(PROXY_CORE)[:-1], "-p", pin(PROXY_CORE)[-1], str(pid)], stdout=subprocess.DEVNULL, check=True)
    try:
        yield Proxy("midair", port, pid)
    finally:
        asyncio.run(stop())


@contextmanager
def _running(command: list[str], port: int) -> Iterator[int]:
    """A process that answers on a port; its pid, or that of the one child that does the work."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not _answers(port):
            if child.poll() is not None or time.monotonic() > deadline:
                print(f"{' '.join(command)} does not start", file=sys.stderr)
                sys.exit(1)
            time.sleep(0.02)
        yield _worker(child.pid)
    finally:
        child.terminate()
        child.wait()


def _answers(port: int) -> bool:
    """Whether a request comes through: some listen before they know where to."""
    with socket.socket() as sock:
        sock.settimeout(1)
        try:
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
            return sock.recv(12).endswith(b" 200")
        except OSError:
            return False


def _worker(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        found = children.read().split()
    return int(found[0]) if found else pid
