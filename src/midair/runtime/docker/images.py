"""Images: pinned to a content id, pulled under `pull_policy`, built by BuildKit through the docker command."""

import asyncio
import json
import os
import re
import shutil
import time
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError
from pathspec import GitIgnoreSpec

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.moment import parse_span
from midair.model.project import Build, Revision, Service
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
    found = await _inspect(client, name)
    return pin_of(found, name) if found is not None else None


def pin_of(image: dict[str, Any], name: str) -> str:
    """The same for an image that was pulled as for one that is still to be pulled, so that plans stay comparable."""
    wanted = familiar(repository(name))
    known = sorted(entry for entry in image.get("RepoDigests") or [] if repository(entry) == wanted)
    asked = f"{wanted}@{name.partition('@')[2]}"
    return asked if asked in known else known[0] if known else str(image["Id"])


async def _inspect(client: aiodocker.Docker, name: str) -> dict[str, Any] | None:
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
    found = await _inspect(client, name) if name else None
    return dict((found or {}).get("Config") or {})


async def fingerprint(client: aiodocker.Docker, project: str, service: Service) -> str | None:
    """What the service would run now: an image's content, or for one to be built the tag that names its context.

    Raises BuildTrouble when the registry has to be asked and does not say.
    """
    if service.build is not None:
        return await asyncio.to_thread(build_tag, project, service)
    if service.image is None:
        return None
    found = await _inspect(client, service.image)
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


async def prepare(
    client: aiodocker.Docker, project: str, service: Service, progress: Progress, host: str = ""
) -> str | None:
    """Make the image be there, and pin it: its content, or the tag of what was built."""
    if service.build is not None:
        tag = await asyncio.to_thread(build_tag, project, service)
        if await _inspect(client, tag) is None:
            await build(project, service, tag, progress, host)
        return tag
    if service.image is None:
        return None
    policy = service.fields.get("pull_policy") or "missing"
    found = await _inspect(client, service.image)
    if policy == "never" and found is None:
        raise BuildTrouble(
            f'cannot use image "{service.image}": it is not here and pull_policy is "never"', hint="pull it first"
        )
    if found is None or is_due(found, policy, time.time()):
        await pull(client, service.image, progress)
        found = await _inspect(client, service.image)
    return pin_of(found, service.image) if found is not None else None


async def fetch(client: aiodocker.Docker, project: str, revision: Revision, progress: Progress, host: str) -> str:
    """Have the image of an earlier revision. Returns why that cannot be, else ""."""
    service = revision.service
    wanted = revision.release or service.image
    if wanted is None or await _inspect(client, wanted) is not None:
        return ""
    removed = f'image "{service.image or wanted}" of service "{service.name}" was removed'
    try:
        if "@" in wanted:
            await pull(client, wanted, progress)
            return ""
        if service.build is not None and await asyncio.to_thread(build_tag, project, service) == wanted:
            await build(project, service, wanted, progress, host)
            return ""
    except BuildTrouble as error:
        return f"{removed}, and cannot be had again: {error.message}"
    return f"{removed}, and its build context is another one now" if service.build is not None else removed


async def prune(client: aiodocker.Docker, project: str, keep: set[str]) -> None:
    """Delete images that were built for the project and that no revision needs. Pulled ones are the user's."""
    async with trouble("list images"):
        tags, label = f"{_TAGS}/{project}-*".lower(), f"com.docker.compose.project={project}"  # not those of shop-two
        listed = await client.images.list(filters={"reference": [tags], "label": [label]})
    for tag in {tag for image in listed for tag in image.get("RepoTags") or ()} - keep:
        if tag.startswith(f"{_TAGS}/"):
            with suppress(RuntimeTrouble):  # in use
                async with trouble(f'remove image "{tag}"'):
                    await client.images.delete(tag)


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


def build_tag(project: str, service: Service) -> str:
    """A tag that names the content of the build: context, Dockerfile, target and arguments."""
    assert service.build is not None
    return f"{_TAGS}/{project}-{service.name}:{context_digest(service.build)[:16]}".lower()


def context_digest(build: Build) -> str:
    """Digest of everything that the build reads. Raises BuildTrouble for an unreadable context."""
    context = Path(build.context)
    if not context.is_dir():
        raise BuildTrouble(f'cannot read build context "{context}": no such folder', hint="check build.context")
    digest = sha256(json.dumps([build.dockerfile, build.target, build.args], sort_keys=True).encode())
    ignore = context / ".dockerignore"
    rules = ignore.read_text().splitlines() if ignore.is_file() else []
    spec = GitIgnoreSpec.from_lines([*rules, *build.ignore, ".git"])
    try:
        for path in sorted(context.rglob("*")):
            name = path.relative_to(context).as_posix()
            if spec.match_file(name):
                continue
            if path.is_symlink():
                digest.update(f"{name}->{os.readlink(path)}\0".encode())
            elif path.is_file():
                content = sha256(path.read_bytes()).hexdigest()
                digest.update(f"{name}:{path.stat().st_mode & 0o777:o}:{content}\0".encode())
    except OSError as error:
        raise BuildTrouble(f'cannot read build context "{context}": {error.strerror}: "{error.filename}"') from error
    return digest.hexdigest()


async def build(project: str, service: Service, tag: str, progress: Progress, host: str) -> None:
    """`docker build` with BuildKit. Raises BuildTrouble with the last lines."""
    build = service.build
    assert build is not None
    command = [docker_command(), "build", "--tag", tag, "--label", f"com.docker.compose.project={project}"]
    for name, value in build.args.items():
        command += ["--build-arg", f"{name}={value}"]
    if build.dockerfile:
        command += ["--file", str(Path(build.context, build.dockerfile))]
    if build.target:
        command += ["--target", build.target]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    environment |= {"DOCKER_HOST": host} if host else {}
    process = await asyncio.create_subprocess_exec(
        *command, build.context, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    last: list[str] = []
    async for line in process.stdout:
        text = line.decode(errors="replace").rstrip()
        if text:
            progress(text)
            last = [*last[-7:], text]
    if await process.wait() != 0:
        detail = "\n".join(last)
        raise BuildTrouble(f'cannot build "{service.name}": docker build ended with {process.returncode}\n{detail}')


def docker_command() -> str:
    """The docker command, for builds alone. Debian's own first: another one on the PATH may lack its plugins."""
    found = shutil.which("docker", path="/usr/bin") or shutil.which("docker")
    if found is None:
        raise BuildTrouble("cannot build an image: the docker command is not installed", hint="install the Docker CLI")
    return found
