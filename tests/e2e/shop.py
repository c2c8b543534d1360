"""Compose files for the tests, as plain data."""

import yaml

COMMANDS = {
    "asgi": "python -m uvicorn app:app --port $$PORT --no-access-log --timeout-keep-alive 1",
    "wsgi": "gunicorn app:app --bind 127.0.0.1:$$PORT --worker-class gthread --threads 16 --keep-alive 1",
}


def service(name, port, *, app="asgi", replicas=3, together=3, monitor="500ms", drain="3s", order=None, **more):
    """A service whose code is in the folder of its name."""
    update = {"parallelism": together, "monitor": monitor} | ({"order": order} if order else {})
    return {
        "build": f"./{name}",
        "command": COMMANDS[app],
        "ports": [f"127.0.0.1:{port}:8000"],
        "deploy": {"replicas": replicas, "update_config": update},
        "x-midair": {"ready": {"http": "/healthz"}, "drain": {"timeout": drain}},
        **more,
    }


def compose(**services):
    """The text of a file with these services."""
    return yaml.safe_dump({"name": "shop", "services": services}, sort_keys=False)
