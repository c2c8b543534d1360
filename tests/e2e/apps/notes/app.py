"""A shop's notes: each POST is a row in SQLite and a file below media/, as Django keeps orders and uploads."""

import http.server
import os
import sqlite3
from pathlib import Path

VERSION = "v1"


class Notes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with sqlite3.connect("db.sqlite3", timeout=10) as base:
            number = base.execute("insert into notes default values").lastrowid
        Path("media").mkdir(exist_ok=True)
        (Path("media") / f"{number}.txt").write_text("note")
        self.answer()

    def answer(self):
        with sqlite3.connect("db.sqlite3", timeout=10) as base:
            (rows,) = base.execute("select count(*) from notes").fetchone()
        files = len(list(Path("media").glob("*")))
        body = f"{VERSION} {rows} rows {files} files".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with sqlite3.connect("db.sqlite3", timeout=10) as base:
        base.execute("create table if not exists notes (id integer primary key)")
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Notes).serve_forever()
