"""Images of registries: pinned to a content id, and pulled under `pull_policy`."""

import asyncio
import re
import time
from datetime import datetime
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from midair.errors import BuildTrouble
from midair.model.moment import parse_span
from midair.model.project import Service
from midair.runtime.base import Progress
from midair.runtime.docker.client import reason, trouble
from midair.runtime.docker.registry import auth_header, auth_of, familiar, registry_host, repository

_PULL_S = 900.0  # a pull that has shown no progress for long is ended by its own stall limit
_STALL_S = 60.0
_ASK_S = 10.0  # a registry that has not said what an image is by then
_LONG = {"d": 86400, "w": 7 * 86400}  # seconds
_TAGS = "midair"  # images that midair built are midair/PROJECT-SERVICE:CONTENT


async def present(client: aiodocker.Docker, name: str) -> str | None:
    """The image's content: name@digest when a registry has it, else its id. None when the engine does not have it."""
    found = await inspect(client, name)
    return pin_of(found, name) if found is not None else None


def pin_of(image: dict[str, Any], name: str) -> str:
    """The same for an image that was pulled as for one that is still to be pulled, so that plans stay comparable."""
    wanted = familiar(repository(name))
    known = sorted(entry for entry in image.get("RepoDigests") or [] if repository(entry) == wanted)
    asked = f"{wanted}@{name.partition('@')[2]}"
    return asked if asked in known else known[0] if known else str(image["Id"])


async def inspect(client: aiodocker.Docker, name: str) -> dict[str, Any] | None:
    """What the engine knows about an image; None when it does not have it."""
    async with trouble(f'look up image "{name}"'):
        try:
            return dict(await client.images.inspect(name))
        except DockerError as error:
            if error.status == 404:
                return None
            raise


async def volumes(client: aiodocker.Docker, name: str) -> frozenset[str]:
    """Paths for which the image declares a VOLUME."""
    return frozenset((await config(client, name)).get("Volumes") or {})


async def config(client: aiodocker.Docker, name: str) -> dict[str, Any]:
    """What an image says about its containers; empty for one that is not here."""
    found = await inspect(client, name) if name else None
    return dict((found or {}).get("Config") or {})


async def fingerprint(client: aiodocker.Docker, service: Service) -> str | None:
    """The content of the image that the service would run now.

    Raises BuildTrouble when the registry has to be asked and does not say.
    """
    if service.image is None:
        return None
    found = await inspect(client, service.image)
    if found is not None and not is_due(found, service.fields.get("pull_policy") or "missing", time.time()):
        return pin_of(found, service.image)
    if service.fields.get("pull_policy") == "never":
        return None  # `prepare` says what is wrong
    return await remote_digest(client, service.image)


def is_due(image: dict[str, Any], policy: str, now: float) -> bool:
    """Does `pull_policy` ask for another look at the registry?"""
    if policy == "always":
        return True
    every = {"daily": "24h", "weekly": "168h"}.get(policy) or policy.partition("every_")[2]
    if not every:
        return False
    said = str((image.get("Metadata") or {}).get("LastTagTime") or image.get("Created") or "")
    try:
        tagged = datetime.fromisoformat(said[:19] + "+00:00").timestamp()
    except ValueError:
        return True
    return now - tagged >= span_of(every)


def span_of(text: str) -> float:
    """Seconds of a span that may also count days and weeks: 1d12h."""
    parts = re.findall(r"([\d.]+)([a-z]+)", text)
    return sum(float(count) * _LONG[unit] if unit in _LONG else parse_span(count + unit) for count, unit in parts)


async def remote_digest(client: aiodocker.Docker, name: str) -> str:
    """name@digest as the registry has it now. Raises BuildTrouble when it does not say."""
    header = await asyncio.to_thread(auth_header, name)
    try:
        answer: dict[str, Any] = await client._query_json(
            f"distribution/{name}/json", headers=header, timeout=aiohttp.ClientTimeout(total=_ASK_S)
        )
        return f"{familiar(repository(name))}@{answer['Descriptor']['digest']}"
    except DockerError as error:
        raise _refused("find", name, error) from error
    except TimeoutError as error:
        raise BuildTrouble(f'cannot find image "{name}": the registry does not answer') from error
    except (aiohttp.ClientError, OSError, KeyError) as error:
        raise BuildTrouble(f'cannot find image "{name}": {error or type(error).__name__}') from error


def _refused(verb: str, name: str, error: DockerError) -> BuildTrouble:
    said = reason(error)
    closed = error.status in (401, 403) or any(word in said.lower() for word in ("unauthorized", "denied", "no basic"))
    return BuildTrouble(
        f'cannot {verb} image "{name}": {said}',
        hint=f"log in with docker login {registry_host(name)}, if the image is private" if closed else None,
    )


async def prepare(client: aiodocker.Docker, service: Service, progress: Progress) -> str | None:
    """Pull the image if need be, and pin it to its content."""
    if service.image is None:
        return None
    policy = service.fields.get("pull_policy") or "missing"
    found = await inspect(client, service.image)
    if policy == "never" and found is None:
        raise BuildTrouble(
            f'cannot use image "{service.image}": it is not here and pull_policy is "never"', hint="pull it first"
        )
    if found is None or is_due(found, policy, time.time()):
        await pull(client, service.image, progress)
        found = await inspect(client, service.image)
    return pin_of(found, service.image) if found is not None else None


async def pull(client: aiodocker.Docker, name: str, progress: Progress) -> None:
    """Pull with progress. A registry that says nothing for a minute is given up."""
    progress(f"pulling {name}")
    shown: set[str] = set()
    auth = await asyncio.to_thread(auth_of, name)  # may ask a credential helper
    try:
        async with asyncio.timeout(_PULL_S):
            lines = client.images.pull(name, auth=auth, stream=True, timeout=_PULL_S).__aiter__()
            while True:
                line = await asyncio.wait_for(anext(lines), _STALL_S)
                if "error" in line:
                    raise BuildTrouble(f'cannot pull image "{name}": {line["error"]}')
                text = f"{line.get('id', '')} {line.get('status', '')}".strip()
                if text and text not in shown and "progress" not in line:
                    shown.add(text)
                    progress(text)
    except StopAsyncIteration:
        return
    except TimeoutError as error:
        raise BuildTrouble(f'cannot pull image "{name}": the registry does not answer') from error
    except DockerError as error:
        raise _refused("pull", name, error) from error
    except (aiohttp.ClientError, OSError) as error:
        raise BuildTrouble(f'cannot pull image "{name}": {error}') from error
