"""A small WSGI app: what the load client asks for, except WebSockets."""

import os
import time

VERSION = "v1"


def app(environ, start_response):
    path = environ["PATH_INFO"]
    headers = [("X-Version", VERSION), ("Content-Type", "text/plain")]
    if path == "/stream":
        start_response("200 OK", headers)
        return stream(int(environ["QUERY_STRING"].partition("=")[2] or 50))
    answer = f"{VERSION} {os.environ.get('COLOUR', '')}\n".encode()
    if path == "/echo":
        answer = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    elif path == "/slow":
        time.sleep(2)
    start_response("200 OK", [*headers, ("Content-Length", str(len(answer)))])
    return [answer]


def stream(parts):
    for number in range(parts):
        yield b"part %d\n" % number
        time.sleep(0.1)
