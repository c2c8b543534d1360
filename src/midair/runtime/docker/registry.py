"""Registries: which one an image comes from, and what the user's docker configuration knows about it."""

import base64
import json
import os
import subprocess
from pathlib import Path


def repository(name: str) -> str:
    """An image's name without tag and digest."""
    name = name.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def registry(name: str) -> str:
    """The host that an image comes from, as the docker configuration names it."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "https://index.docker.io/v1/"


def auth_of(name: str) -> dict[str, str] | None:
    """What the user's docker configuration says about the image's registry."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    host = registry(name)
    entry = (config.get("auths") or {}).get(host) or {}
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return {"username": user, "password": password, "serveraddress": host}
    helper = (config.get("credHelpers") or {}).get(host) or (config.get("credsStore") if entry is not None else None)
    return _from_helper(helper, host) if helper else None


def _from_helper(helper: str, host: str) -> dict[str, str] | None:
    """Ask a credential helper, as the docker command does."""
    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host, capture_output=True, text=True, timeout=10, check=True
        )
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return {"username": found["Username"], "password": found["Secret"], "serveraddress": host}


def auth_header(name: str) -> dict[str, str]:
    auth = auth_of(name)
    if auth is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()}
