"""A small ASGI app: what the load client asks for, and ways to be broken, named by BROKEN."""

import asyncio
import os
import time

VERSION = "v1"
BROKEN = os.environ.get("BROKEN", "")
time.sleep(float(os.environ.get("START_S", "0")))
STARTED = time.monotonic()

if BROKEN == "exits":
    raise SystemExit("cannot find the shop's database")


def is_healthy():
    age = time.monotonic() - STARTED
    if BROKEN == "dies" and age > 1.0:
        print("running out of luck", flush=True)
        os._exit(3)
    return not (BROKEN == "never ready" or (BROKEN == "sick" and age > 1.0))


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await http(scope, receive, send)


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def http(scope, receive, send):
    path, body = scope["path"], b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if path == "/stream":
        await stream(int(scope["query_string"].partition(b"=")[2] or 50), send)
        return
    status, answer = 200, f"{VERSION} {os.environ.get('COLOUR', '')}\n".encode()
    if path == "/echo":
        answer = body
    elif path == "/slow":
        await asyncio.sleep(2)
    elif path == "/healthz":
        status = 200 if is_healthy() else 500
    await begin(status, send, (b"content-length", str(len(answer)).encode()))
    await send({"type": "http.response.body", "body": answer})


async def stream(parts, send):
    await begin(200, send)
    for number in range(parts):
        await send({"type": "http.response.body", "body": b"part %d\n" % number, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b""})


async def begin(status, send, *headers):
    version = (b"x-version", os.environ.get("VERSION", VERSION).encode())
    await send({"type": "http.response.start", "status": status, "headers": [version, *headers]})


async def websocket(receive, send):
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-version", VERSION.encode())]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message.get("text") or message["bytes"].decode()})
