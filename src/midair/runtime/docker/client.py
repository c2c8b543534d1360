"""The connection to the engine: found as the docker command finds it, old engines refused, errors in our words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble

OLDEST_API = (1, 41)  # engine 20.10
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)


async def connect(environment: dict[str, str]) -> aiodocker.Docker:
    """The engine that `DOCKER_HOST`, `DOCKER_CONTEXT` or the current context names.

    Raises RuntimeTrouble when there is none, or one older than 20.10.
    """
    async with trouble("reach the Docker engine"):
        try:
            client = aiodocker.Docker(
                url=_host(environment), context=environment.get("DOCKER_CONTEXT"), timeout=_TIMEOUT
            )
        except (ValueError, AssertionError) as error:
            raise RuntimeTrouble(
                "cannot reach the Docker engine: no socket found", hint="start the engine, or set DOCKER_HOST"
            ) from error
        try:
            version = await client.version()
        except BaseException:
            await client.close()
            raise
    api = tuple(int(part) for part in version["ApiVersion"].split("."))
    if api < OLDEST_API:
        await client.close()
        raise RuntimeTrouble(
            f'cannot use the Docker engine: it is version "{version["Version"]}", older than 20.10',
            hint="upgrade the engine",
        )
    return client


def remembered(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment, with the engine that the project is on: a daemon may be started again from another shell."""
    note = folder / "docker.host"
    if environment.get("DOCKER_HOST"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(environment["DOCKER_HOST"])
    elif "DOCKER_CONTEXT" not in environment and note.exists():
        return {**environment, "DOCKER_HOST": note.read_text()}
    return environment


def _host(environment: dict[str, str]) -> str | None:
    # The docker command lets DOCKER_HOST win over contexts; the client library asks for it to be explicit.
    return environment.get("DOCKER_HOST") or None


@asynccontextmanager
async def trouble(doing: str) -> AsyncIterator[None]:
    """Whatever the engine or the way to it says, as one RuntimeTrouble: "cannot <doing>: <reason>"."""
    try:
        yield
    except DockerError as error:
        raise RuntimeTrouble(f"cannot {doing}: {reason(error)}", hint=_hint(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise RuntimeTrouble(
            f"cannot {doing}: the Docker engine does not answer ({error or type(error).__name__})",
            hint="check that the engine runs: docker version",
        ) from error
    except TimeoutError as error:
        raise RuntimeTrouble(f"cannot {doing}: the Docker engine took too long") from error


def reason(error: DockerError) -> str:
    """The engine's own sentence, on one line."""
    message: Any = error.message
    if isinstance(message, dict):
        message = message.get("message", message)
    return " ".join(str(message).split())


def _hint(error: DockerError) -> str | None:
    text = reason(error).lower()
    if "unauthorized" in text or "authentication required" in text or "access denied" in text:
        return "log in with docker login, then try again"
    if "no space left" in text:
        return "free some disk space: docker system df shows what uses it"
    return None
