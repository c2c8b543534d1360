"""Images that midair builds: named by what the build reads, made by BuildKit through the docker command."""

import asyncio
import os
import shutil
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import aiodocker

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.project import Build, Revision, Service
from midair.runtime.base import Progress
from midair.runtime.docker import images
from midair.runtime.docker.client import trouble
from midair.source.context import Contexts
from midair.spec.paths import is_remote

_TAGS = "midair"  # images that midair built are midair/PROJECT-SERVICE:CONTENT
_DIGITS = 16


class Builds:
    """Builds the images of one project's services."""

    def __init__(self, client: aiodocker.Docker, project: str, contexts: Contexts, host: str) -> None:
        self._client = client
        self._project = project
        self._contexts = contexts
        self._host = host  # as DOCKER_HOST names it; "": where the docker command looks by itself

    async def fingerprint(self, service: Service) -> str | None:
        """What the service would run now: an image's content, or for one to be built its tag.

        Raises BuildTrouble when the context cannot be read, or the registry has to be asked and does not say.
        """
        if service.build is None:
            return await images.fingerprint(self._client, service)
        return await self._tag(service, service.build)

    async def prepare(self, service: Service, progress: Progress) -> str | None:
        """Make the image be there, and pin it: its content, or the tag of what was built."""
        if service.build is None:
            return await images.prepare(self._client, service, progress)
        tag = await self._tag(service, service.build)
        if await images.inspect(self._client, tag) is None:
            await self._build(service, service.build, tag, progress)
        return tag

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """Have the image of an earlier revision. Returns why that cannot be, else ""."""
        service = revision.service
        wanted = revision.release or service.image
        if wanted is None or await images.inspect(self._client, wanted) is not None:
            return ""
        removed = f'image "{service.image or wanted}" of service "{service.name}" was removed'
        try:
            if "@" in wanted:
                await images.pull(self._client, wanted, progress)
                return ""
            if service.build is not None and wanted in await self._tags(service, service.build):
                await self._build(service, service.build, wanted, progress)
                return ""
        except BuildTrouble as error:
            return f"{removed}, and cannot be had again: {error.message}"
        return f"{removed}, and its build context is another one now" if service.build is not None else removed

    async def prune(self, keep: set[str]) -> None:
        """Delete images that were built for the project and that no revision needs. Pulled ones are the user's."""
        async with trouble("list images"):
            # Not those of a project whose name only begins like this one's.
            tags, label = f"{_TAGS}/{self._project}-*".lower(), f"com.docker.compose.project={self._project}"
            listed = await self._client.images.list(filters={"reference": [tags], "label": [label]})
        for tag in {tag for image in listed for tag in image.get("RepoTags") or ()} - keep:
            if tag.startswith(f"{_TAGS}/"):
                with suppress(RuntimeTrouble):  # in use
                    async with trouble(f'remove image "{tag}"'):
                        await self._client.images.delete(tag)

    async def _tag(self, service: Service, build: Build) -> str:
        """The tag that names the content of the build, or that of an image which the first midair built from it."""
        tag = await self._tag_now(service, build)
        if is_remote(build.context) or await images.inspect(self._client, tag) is not None:
            return tag
        before = await asyncio.to_thread(self._contexts.before, build)
        older = self._named(service, before.digest)
        image = await images.inspect(self._client, older) if older != tag else None
        return older if image is not None and before.changed_s < _made_s(image) else tag

    async def _tags(self, service: Service, build: Build) -> tuple[str, ...]:
        """Every tag under which an image of the build as it is now may be on record."""
        tag = await self._tag_now(service, build)
        if is_remote(build.context):
            return (tag,)
        return tag, self._named(service, (await asyncio.to_thread(self._contexts.before, build)).digest)

    async def _tag_now(self, service: Service, build: Build) -> str:
        if is_remote(build.context):  # what it holds is known to the engine alone
            return self._named(service, sha256(repr(build).encode()).hexdigest())
        return self._named(service, await asyncio.to_thread(self._contexts.digest, build))

    def _named(self, service: Service, digest: str) -> str:
        return f"{_TAGS}/{self._project}-{service.name}:{digest[:_DIGITS]}".lower()

    async def _build(self, service: Service, build: Build, tag: str, progress: Progress) -> None:
        """`docker build` with BuildKit. Raises BuildTrouble with the last lines."""
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
        environment |= {"DOCKER_HOST": self._host} if self._host else {}
        process = await asyncio.create_subprocess_exec(
            docker_command(), *arguments(self._project, build, tag), env=environment, stdin=asyncio.subprocess.DEVNULL,
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


def arguments(project: str, build: Build, tag: str) -> list[str]:
    """What the docker command is given to build an image."""
    given = ["build", "--tag", tag, "--label", f"com.docker.compose.project={project}"]
    for name, value in build.args.items():
        given += ["--build-arg", f"{name}={value}"]
    if build.dockerfile:
        inside = build.dockerfile if is_remote(build.context) else str(Path(build.context, build.dockerfile))
        given += ["--file", inside]
    if build.target:
        given += ["--target", build.target]
    return [*given, build.context]


def docker_command() -> str:
    """The docker command, for builds alone. Debian's own first: another one on the PATH may lack its plugins."""
    found = shutil.which("docker", path="/usr/bin") or shutil.which("docker")
    if found is None:
        raise BuildTrouble("cannot build an image: the docker command is not installed", hint="install the Docker CLI")
    return found


def _made_s(image: dict[str, object]) -> float:
    """When an image was made or tagged, whichever was later; 0 when it does not say."""
    metadata = image.get("Metadata")
    texts = [image.get("Created"), metadata.get("LastTagTime") if isinstance(metadata, dict) else None]
    moments = [0.0]
    for text in texts:
        with suppress(ValueError, OverflowError):
            moments.append(datetime.fromisoformat(str(text)[:19] + "+00:00").timestamp())
    return max(moments)
