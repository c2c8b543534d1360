"""Of what a program printed last, the line that names the error is quoted."""

import pytest

from midair.runtime.error_line import error_line

GUNICORN = """\
[2026-01-01 10:00:00 +0000] [7] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/app/shop/settings.py", line 12, in <module>
    SECRET_KEY = env("SECRET_KEY")
django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable
[2026-01-01 10:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)
[2026-01-01 10:00:00 +0000] [1] [ERROR] Shutting down: Master
[2026-01-01 10:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.
"""
NODE = """\
node:internal/modules/cjs/loader:1147
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /app/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1144:15) {
  code: 'MODULE_NOT_FOUND',
}

Node.js v20.11.0
"""
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: cannot start
\tat shop.Main.main(Main.java:9)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\t... 4 more
"""
GO = """\
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.main()
\t/app/main.go:9 +0x1d
exit status 2
"""
POSTGRES = """\
2026-01-01 10:00:00.000 UTC [1] FATAL:  database files are incompatible with server
2026-01-01 10:00:00.000 UTC [1] DETAIL:  The data directory was initialized by PostgreSQL version 15.
"""
UVICORN = """\
Traceback (most recent call last):
  File "/app/main.py", line 3, in lifespan
    raise KeyError("NOPE")
KeyError: 'NOPE'

ERROR:    Application startup failed. Exiting.
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GUNICORN, "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable"),
        (NODE, "Error: Cannot find module 'express'"),
        (JAVA, "Caused by: java.net.ConnectException: Connection refused"),
        (GO, "panic: runtime error: index out of range [3] with length 3"),
        (POSTGRES, "2026-01-01 10:00:00.000 UTC [1] FATAL:  database files are incompatible with server"),
        (UVICORN, "KeyError: 'NOPE'"),
        ("listening\nsh: 1: config.txt: not found\nbye\n", "sh: 1: config.txt: not found"),
        ("one\ntwo\n", "two"),
        ("\n\n", ""),
        ("x" * 500, "x" * 200),
    ],
)
def test_line_that_names_the_error_is_quoted(text, line):
    assert error_line(text) == line


@pytest.mark.parametrize(
    "ordinary",
    [
        'INFO:     127.0.0.1:35466 - "GET /healthz HTTP/1.1" 200 OK',
        "[2026-01-01 10:00:00 +0000] [7] [INFO] Booting worker with pid: 7",
        '10.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 0 "-" "curl/8.5"',
        "2026/01/01 10:00:00 [notice] 1#1: start worker processes",
    ],
)
def test_lines_of_a_healthy_server_are_no_reason(ordinary):
    assert error_line(ordinary) == ""
    assert error_line(f"the disk is full\n{ordinary}") == "the disk is full"
