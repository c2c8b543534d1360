"""What the load client asks for beside an app's own pages, for Flask, and the ways in which an app may be BROKEN."""

import os
import signal
import threading
import time

from flask import Response, request

BROKEN = os.environ.get("BROKEN", "")


def break_down():
    """Fail as new code does: at its start, silently, or a little later."""
    if BROKEN == "exits":
        raise SystemExit("cannot find the settings")
    if BROKEN == "hangs":
        time.sleep(3600)
    if BROKEN == "dies":
        # The server that this worker belongs to: the first process may be a shell, which ignores the signal.
        threading.Timer(3, os.kill, (os.getppid(), signal.SIGTERM)).start()


def add_pages(app, version):
    """/slow, /stream, /healthz, and the version in a header of every answer."""
    break_down()

    @app.before_request
    def fail():
        if BROKEN == "errors" and request.path == "/":
            raise RuntimeError("a mistake in the new code")
        if BROKEN == "crashes":
            os._exit(1)

    @app.after_request
    def name_version(answer):
        answer.headers["X-Version"] = version
        return answer

    @app.get("/slow")
    def slow():
        time.sleep(2)
        return "slow\n"

    @app.get("/stream")
    def stream():
        def parts():
            for number in range(int(request.args.get("parts", 50))):
                yield f"part {number}\n"
                time.sleep(0.1)

        return Response(parts(), content_type="text/plain")

    @app.get("/healthz")
    def healthz():
        return ("sick\n", 500) if BROKEN == "unhealthy" else "ok\n"
