"""Compose files of containers for the tests, as plain data."""

import yaml
from tests.docker import engine as engines

SERVE = "python3 -m uvicorn app:app --host 0.0.0.0 --port 8000 --no-access-log"
DOCKERFILE = f"FROM {engines.IMAGE}\nWORKDIR /app\nCOPY . .\n"
CALLER = '''
"""An app that answers with what another service answers, called by its name over a connection that it keeps."""

import asyncio
import os

READER = WRITER = None


async def call():
    global READER, WRITER
    if WRITER is None or READER.at_eof() or WRITER.is_closing():
        READER, WRITER = await asyncio.open_connection("api", 8000)
    WRITER.write(b"GET / HTTP/1.1\\r\\nHost: api\\r\\n\\r\\n")
    status = int((await READER.readline()).split()[1])
    length, last = 0, False
    while (line := await READER.readline()) not in (b"\\r\\n", b""):
        name, _, value = line.decode().partition(":")
        length = int(value) if name.lower() == "content-length" else length
        last = last or (name.lower(), value.strip().lower()) == ("connection", "close")
    body = await READER.readexactly(length)
    if last:
        WRITER.close()
        WRITER = None
    return status, body


LOCK = asyncio.Lock()


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/healthz":
        status, body = 200, b"ok"
    else:
        async with LOCK:
            status, body = await call()
    version = body.split()[0] if body else b""
    headers = [(b"content-length", str(len(body)).encode()), (b"x-version", version)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
'''


def service(port=None, *, name="web", replicas=3, together=3, monitor="500ms", drain="6s", order=None, **more):
    """A service built from the folder of its name."""
    update = {"parallelism": together, "monitor": monitor} | ({"order": order} if order else {})
    found = {
        "build": f"./{name}",
        "command": SERVE,
        "deploy": {"replicas": replicas, "update_config": update},
        "stop_grace_period": "5s",
        "x-midair": {"ready": {"http": "/healthz"}, "drain": {"timeout": drain}},
        **more,
    }
    return found | ({"ports": [f"127.0.0.1:{port}:8000"]} if port else {"expose": ["8000"]})


def compose(services, **more):
    """The text of a file with these services on Docker."""
    return yaml.safe_dump(
        {"name": "shop", "x-midair": {"runtime": "docker"}, "services": services, **more}, sort_keys=False
    )


def add_app(place, name="web"):
    """An ASGI app in the folder of a service, with its Dockerfile."""
    place.app("asgi", name)
    place.write(DOCKERFILE, f"{name}/Dockerfile")
