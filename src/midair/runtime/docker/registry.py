"""Registries: which one an image comes from, and what the user's docker configuration knows about it."""

import base64
import json
import os
import subprocess
from pathlib import Path

_HUB = ("docker.io", "index.docker.io")


def repository(name: str) -> str:
    """An image's name without tag and digest."""
    name = name.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def familiar(name: str) -> str:
    """A repository's name as the engine shows it: without what Docker Hub implies."""
    for implied in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(implied)
    return name.removeprefix("library/")


def registry_host(name: str) -> str:
    """The host as `docker login` takes it; "" for Docker Hub."""
    host = registry(name)
    return "" if "://" in host else host


def registry(name: str) -> str:
    """The host that an image comes from, as the docker configuration names it."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost") and first not in _HUB:
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
    known = config.get("auths") or {}
    entry = known.get(host) or known.get(f"https://{host}") or {}
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"]), "serveraddress": host}
    if entry.get("auth"):
        return _decoded(str(entry["auth"]), host)
    helper = (config.get("credHelpers") or {}).get(host) or config.get("credsStore")
    return _from_helper(helper, host) if helper else None


def _decoded(auth: str, host: str) -> dict[str, str] | None:
    """What `docker login` stored; None when it is damaged: the registry then says that nobody is logged in."""
    try:
        user, _, password = base64.b64decode(auth).decode().partition(":")
    except ValueError:
        return None
    return {"username": user, "password": password, "serveraddress": host}


def _from_helper(helper: str, host: str) -> dict[str, str] | None:
    """Ask a credential helper, as the docker command does."""
    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host, capture_output=True, text=True, timeout=10, check=True
        )
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if found.get("Username") == "<token>":  # as the docker command reads a helper's answer
        return {"identitytoken": found["Secret"], "serveraddress": host}
    return {"username": found["Username"], "password": found["Secret"], "serveraddress": host}


def auth_header(name: str) -> dict[str, str]:
    """What a request about the image carries."""
    auth = auth_of(name)
    if auth is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()}
