"""A control plane that answers what it was told to, on a real Unix socket, so that the real client is used."""

import contextlib
import http.server
import socketserver
import threading

import msgspec

from midair.errors import MidairError


class Stream(list):
    """(name, value) of server-sent events. `ends`: the control plane says goodbye after them, or only when it ends."""

    ends = True


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request as the fake says."""

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        fake = self.server.fake
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake.asked.append((f"{self.command} {path}", query, msgspec.json.decode(body) if body else None))
        answer = fake.answers[f"{self.command} {path}"]
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Stream):
            self.stream(answer)
        elif isinstance(answer, MidairError):
            self.whole(answer.status, {"error": {"kind": answer.kind, "message": str(answer), "hint": answer.hint}})
        else:
            self.whole(200, answer)

    def whole(self, status, value):
        data = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for name, value in events:
            self.event(name, value)
        if not events.ends:
            self.server.fake.ending.wait()
        self.event("bye", None)  # without it the client would come again, and start a real daemon

    def event(self, name, value):
        with contextlib.suppress(BrokenPipeError):  # a caller that has seen enough
            self.wfile.write(b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value)))

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class FakeDaemon:
    """Answers by "METHOD path" (without the query). Remembers what was asked."""

    def __init__(self, home):
        self.home = home
        self.answers = {}
        self.asked = []
        self.ending = threading.Event()
        home.mkdir(mode=0o700)
        self._server = Server(str(home / "api.sock"), Handler)
        self._server.fake = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
