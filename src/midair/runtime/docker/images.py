"""Images: pinned to a content id, pulled under `pull_policy`, built by BuildKit through the docker command."""

import asyncio
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError
from pathspec import GitIgnoreSpec

from midair.errors import BuildTrouble
from midair.model.project import Build, Service
from midair.runtime.base import Progress
from midair.runtime.docker.client import reason, trouble
from midair.runtime.docker.registry import auth_header, auth_of, repository

_PULL_S = 900.0  # a pull that has shown no progress for long is ended by its own stall limit
_STALL_S = 60.0


async def present(client: aiodocker.Docker, name: str) -> str | None:
    """The image's id, or None when the engine does not have it."""
    async with trouble(f'look up image "{name}"'):
        try:
            return str((await client.images.inspect(name))["Id"])
        except DockerError as error:
            if error.status == 404:
                return None
            raise


async def fingerprint(client: aiodocker.Docker, project: str, service: Service) -> str | None:
    """What the service would run now: an image id, or for one that is to be built the tag that names its context."""
    if service.build is not None:
        return await asyncio.to_thread(build_tag, project, service)
    if service.image is None:
        return None
    if service.fields.get("pull_policy") == "always":
        return await remote_digest(client, service.image) or await present(client, service.image)
    return await present(client, service.image) or await remote_digest(client, service.image)


async def remote_digest(client: aiodocker.Docker, name: str) -> str | None:
    """name@digest as the registry has it now, or None when it cannot be asked."""
    try:
        answer: dict[str, Any] = await client._query_json(
            f"distribution/{name}/json", headers=auth_header(name), timeout=aiohttp.ClientTimeout(total=15)
        )
    except (DockerError, aiohttp.ClientError, OSError, TimeoutError):
        return None
    digest = (answer.get("Descriptor") or {}).get("digest")
    return f"{repository(name)}@{digest}" if digest else None


async def prepare(client: aiodocker.Docker, project: str, service: Service, progress: Progress) -> str | None:
    """Make the image be there, and pin it: its id, or the tag of what was built."""
    policy = service.fields.get("pull_policy") or "missing"
    if service.build is not None:
        tag = await asyncio.to_thread(build_tag, project, service)
        if await present(client, tag) is None:
            await build(project, service, tag, progress)
        return tag
    if service.image is None:
        return None
    found = await present(client, service.image)
    if policy == "never" and found is None:
        raise BuildTrouble(
            f'cannot use image "{service.image}": it is not here and pull_policy is "never"', hint="pull it first"
        )
    if policy == "always" or found is None:
        await pull(client, service.image, progress)
        found = await present(client, service.image)
    return found


async def pull(client: aiodocker.Docker, name: str, progress: Progress) -> None:
    """Pull with progress. A registry that says nothing for a minute is given up."""
    progress(f"pulling {name}")
    shown: set[str] = set()
    auth = auth_of(name)
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
        hint = "log in with docker login" if error.status in (401, 403) or "unauthorized" in reason(error) else None
        raise BuildTrouble(f'cannot pull image "{name}": {reason(error)}', hint=hint) from error
    except (aiohttp.ClientError, OSError) as error:
        raise BuildTrouble(f'cannot pull image "{name}": {error}') from error


def build_tag(project: str, service: Service) -> str:
    """A tag that names the content of the build: context, Dockerfile, target and arguments."""
    assert service.build is not None
    return f"midair/{project}-{service.name}:{context_digest(service.build)[:16]}".lower()


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


async def build(project: str, service: Service, tag: str, progress: Progress) -> None:
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
