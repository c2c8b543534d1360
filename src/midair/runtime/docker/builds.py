"""Images that midair builds: named by what the build reads, made through the docker command."""

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiodocker

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.project import Build, Revision, Service
from midair.model.release import again, content_of, is_again, suffixed
from midair.runtime.base import Progress
from midair.runtime.docker import images
from midair.runtime.docker.bases import LABEL, Bases, Pins, are_newer, is_same_content, label_of, recorded, suffix_of
from midair.runtime.docker.build_command import Builder, arguments, chosen, missing
from midair.runtime.docker.client import trouble
from midair.source.context import Contexts
from midair.source.dockerfile import bases
from midair.spec.paths import is_remote

_TAGS = "midair"  # images that midair built are midair/PROJECT-SERVICE:CONTENT
_DIGITS = 16
_SUFFIX = 8
_NONE: Mapping[str, bytes] = {}
_WITHOUT_BUILDKIT = 23  # from this version of the docker command on, BuildKit is the plugin's
_BUILDX_HINT = "install the buildx plugin of docker, or remove what needs it"


class Builds:
    """Builds the images of one project's services."""

    def __init__(self, client: aiodocker.Docker, project: str, contexts: Contexts, host: str) -> None:
        self._client = client
        self._project = project
        self._contexts = contexts
        self._known_builder: Builder | None = None
        self._host = host  # as DOCKER_HOST names it; "": where the docker command looks by itself
        self._base_images = Bases(client)
        self._looked_up: dict[str, Pins] = {}  # by tag: what a plan wants it to be built on
        self._standing: dict[str, str] = {}  # by tag of a plan that builds once more: the image that is here

    async def fingerprint(self, service: Service, known: Revision | None = None, *, builds: bool = False) -> str | None:
        """What the service would run now: an image's content, or for one to be built its tag.

        `known` is the revision in force: its image goes on under its tag while nothing that it was built of is another.
        `builds`: it is built once more though nothing has changed.

        Raises BuildTrouble when the context cannot be read, or the registry has to be asked and does not say.
        """
        build = service.build
        if build is None:
            return await images.fingerprint(self._client, service)
        tag = await self._tag(service, build, known)
        image = await images.inspect(self._client, tag)
        if not builds and not self._is_due(service, build, image):
            return tag
        wants_look = not builds or service.fields.get("pull_policy") not in ("missing", "never")
        pins = await self._base_images.look_up(service, await self._bases_of(build)) if wants_look else {}
        if image is not None and builds:
            self._looked_up[again(tag)], self._standing[again(tag)] = pins, tag
            return again(tag)
        if image is not None and not are_newer(pins, recorded(image)):
            return tag
        newer = suffixed(tag, suffix_of(pins)) if pins else tag
        self._looked_up[newer] = pins
        return newer

    async def bases(self, release: str) -> Pins:
        """The base images of a release, by name: of one that is to be built as they were looked up for it."""
        if release in self._looked_up:
            return self._looked_up[release]
        return recorded(await images.inspect(self._client, release))

    async def prepare(
        self, service: Service, progress: Progress, release: str | None = None, contents: Mapping[str, bytes] = _NONE
    ) -> str | None:
        """Make the image be there, and pin it: its content, or the tag of what was built.

        `release` is what `fingerprint` returned for it, `contents` what secrets hold, by digest.
        """
        if service.build is None:
            return await images.prepare(self._client, service, progress)
        tag = release
        if tag is None or await images.inspect(self._client, tag) is None:
            now = await self._tag_now(service, service.build)
            if tag is not None and content_of(tag) != content_of(now):
                progress(f"{service.name}: its build context was changed after the plan; it is built as it is now")
            tag = now if tag is None or content_of(tag) != content_of(now) else tag
        if is_again(tag):
            return await self._build_again(service, service.build, tag, progress, contents)
        if await images.inspect(self._client, tag) is None:
            await self._build(service, service.build, tag, progress, contents)
        return tag

    async def _build_again(
        self, service: Service, build: Build, tag: str, progress: Progress, contents: Mapping[str, bytes]
    ) -> str:
        """Build what is here once more. Returns the tag that it has already, where the image is the same."""
        await self._build(service, build, tag, progress, contents)
        made = await images.inspect(self._client, tag)
        assert made is not None, "it has just been built"
        standing = self._standing.get(tag, "")
        before = await images.inspect(self._client, standing) if standing else None
        is_same = before is not None and is_same_content(before, made)
        final = standing if is_same else suffixed(tag, made["Id"].removeprefix("sha256:")[:_SUFFIX])
        async with trouble(f'name image "{final}"'):
            if not is_same:
                repository, _, name = final.rpartition(":")
                await self._client.images.tag(tag, repository, tag=name)
            await self._client.images.delete(tag)
        progress(f"{service.name}: built again, the image is {'the same' if is_same else 'another one'}")
        return final

    async def unsupported(self, service: Service) -> tuple[str, ...]:
        """Settings of its build that the docker command has no option for, in one line."""
        build = service.build
        if build is None or not (build.settings or build.secrets):
            return ()
        names = missing(chosen(await self._builder(), build), build)
        return (f"{_unsupported(service, names)}; {_BUILDX_HINT}",) if names else ()

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
            if service.build is not None and content_of(wanted) in await self._tags(service, service.build):
                if content_of(wanted) != wanted:
                    progress(f"{service.name}: built again on its base images as they are now")
                await self._build(service, service.build, wanted, progress, {})
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

    async def _tag(self, service: Service, build: Build, known: Revision | None) -> str:
        """The tag that names the content of the build, or that of an image which the first midair built from it."""
        tag = await self._tag_now(service, build)
        if known is not None and known.release is not None and content_of(known.release) == tag:
            return known.release
        tag = await self._newest(tag)
        if known is None or known.release in (None, tag) or is_remote(build.context):
            return tag
        if known.service.fields.get("build") != service.fields.get("build"):
            return tag
        before = await asyncio.to_thread(self._contexts.before, build)
        older = self._named(service, before.digest)
        image = await images.inspect(self._client, older) if older == known.release else None
        return older if image is not None and before.changed_s < _made_s(image) else tag

    async def _newest(self, tag: str) -> str:
        """The tag of the image that was built last of this content, and the same tag when there is none."""
        async with trouble("list images"):
            listed = await self._client.images.list(filters={"reference": [f"{tag}*"]})
        made = [(image["Created"], name) for image in listed for name in image.get("RepoTags") or ()]
        same = [entry for entry in made if content_of(entry[1]) == tag and not is_again(entry[1])]
        return max(same, default=(0, tag))[1]

    def _is_due(self, service: Service, build: Build, image: dict[str, Any] | None) -> bool:
        """Whether the file asks for another look at the base images."""
        policy = service.fields.get("pull_policy") or "missing"
        if policy in ("always", "build") or build.settings.get("pull"):
            return True
        return image is not None and images.is_due(image, policy, time.time())

    async def _bases_of(self, build: Build) -> list[str]:
        """The base images of a build by name; none of a context that the engine fetches."""
        if is_remote(build.context):
            return []
        text = await asyncio.to_thread(self._contexts.dockerfile, build)
        contexts = build.settings.get("additional_contexts") or {}
        return bases(text, build.args, target=build.target, contexts=contexts)

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

    async def _build(
        self, service: Service, build: Build, tag: str, progress: Progress, contents: Mapping[str, bytes]
    ) -> None:
        """Run the docker command. Raises BuildTrouble with the last lines."""
        builder = chosen(await self._builder(), build)
        if names := missing(builder, build):
            raise BuildTrouble(f"cannot build {_unsupported(service, names)}", hint=_BUILDX_HINT)
        environment = {**os.environ, "DOCKER_BUILDKIT": str(int(builder != "classic")), "BUILDKIT_PROGRESS": "plain"}
        environment |= {"DOCKER_HOST": self._host} if self._host else {}
        inline = build.settings.get("dockerfile_inline")
        pins = self._looked_up.get(tag) or await self._base_images.present(await self._bases_of(build))
        await self._base_images.fetch(self._looked_up.get(tag) or {}, progress)
        labels = {LABEL: label_of(pins)} if pins else {}
        with _secret_files(service, build, contents) as secrets:
            process = await asyncio.create_subprocess_exec(
                docker_command(), *arguments(self._project, build, tag, builder, secrets, labels), env=environment,
                stdin=asyncio.subprocess.PIPE if inline else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            if inline and process.stdin is not None:
                process.stdin.write(str(inline).encode())
                process.stdin.close()
            last = await _shown(process, progress)
        if process.returncode != 0:
            detail = "\n".join(last)
            raise BuildTrouble(f'cannot build "{service.name}": docker build ended with {process.returncode}\n{detail}')

    async def _builder(self) -> Builder:
        """What the docker command builds with."""
        if self._known_builder is None:
            self._known_builder = await asyncio.to_thread(_builder_of, docker_command())
        assert self._known_builder is not None
        return self._known_builder


async def _shown(process: asyncio.subprocess.Process, progress: Progress) -> list[str]:
    """Pass on what a process prints until it has ended. Returns the last lines."""
    assert process.stdout is not None
    last: list[str] = []
    async for line in process.stdout:
        text = line.decode(errors="replace").rstrip()
        if text:
            progress(text)
            last = [*last[-7:], text]
    await process.wait()
    return last


@contextmanager
def _secret_files(service: Service, build: Build, contents: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    """The file of each secret, by id: its own, or one with the value of a variable, for as long as the build takes."""
    with TemporaryDirectory(prefix="midair-") as folder:  # which its owner alone may enter
        files = dict(build.secrets)
        for name in (name for name, path in build.secrets.items() if not path):
            content = contents.get(service.contents.get(f"build.{name}", ""))
            if content is None:
                raise BuildTrouble(
                    f'cannot build "{service.name}": the value of build secret "{name}" is not at hand',
                    hint="run midair up where its variable is set",
                )
            path = Path(folder, sha256(name.encode()).hexdigest())
            path.write_bytes(content)
            files[name] = str(path)
        yield files


def _builder_of(command: str) -> Builder:
    if subprocess.run([command, "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return "buildx"
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.", version)
    return "buildkit" if found is not None and int(found[1]) < _WITHOUT_BUILDKIT else "classic"


def _unsupported(service: Service, names: list[str]) -> str:
    listed = ", ".join(f"build.{name}" for name in names)
    return f'"{service.name}": the docker command has no option for {listed}'


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
