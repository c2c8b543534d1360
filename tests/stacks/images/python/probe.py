"""What the load client asks for beside an app's own pages, for Flask."""

import os
import time

from flask import Response, request


def add_pages(app, version):
    """/slow, /stream, /healthz, and the version in a header of every answer."""

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
        return ("sick\n", 500) if os.environ.get("BROKEN") == "unhealthy" else "ok\n"
