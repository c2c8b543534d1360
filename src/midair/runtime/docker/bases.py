"""The images that a build stands on: looked up in their registries, and on record in a label of what was built."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import aiodocker

from midair.errors import BuildTrouble
from midair.model.project import Service
from midair.runtime.base import Progress
from midair.runtime.docker import images

LABEL = "io.midair.bases"  # of an image that midair built: the content of each base image, by name, as JSON
_DIGITS = 8
_HINT = "run midair up --pull missing to build with the images that are here"

Pins = dict[str, str]  # by name of the image: name@digest, or the id of one that no registry has


class Bases:
    """Asks about base images. Several that ask for the same one at once share the answer."""

    def __init__(self, client: aiodocker.Docker) -> None:
        self._client = client
        self._asked: dict[str, asyncio.Task[str]] = {}

    async def look_up(self, service: Service, names: Iterable[str]) -> Pins:
        """What the registries have now. Fetches digests, and no contents. Raises BuildTrouble."""
        wanted = list(names)
        try:
            pins = await asyncio.gather(*(self._shared(name) for name in wanted))
        except BuildTrouble as error:
            raise BuildTrouble(
                f'cannot look up the base image of service "{service.name}": {error.message}', hint=error.hint or _HINT
            ) from error
        return dict(zip(wanted, pins, strict=True))

    async def present(self, names: Iterable[str]) -> Pins:
        """What a build would use that does not look them up. Without those of which nobody says it."""
        pins = {}
        for name in names:
            try:
                pins[name] = await images.present(self._client, name) or await self._shared(name)
            except BuildTrouble:
                continue  # the build itself says what is wrong
        return pins

    async def fetch(self, pins: Mapping[str, str], progress: Progress) -> None:
        """Pull those that are not here as they were looked up. Raises BuildTrouble."""
        for name, pin in pins.items():
            image = await images.inspect(self._client, name)
            if image is None or pin not in (image["Id"], *(image.get("RepoDigests") or ())):
                await images.pull(self._client, name, progress)

    async def _shared(self, name: str) -> str:
        task = self._asked.get(name)
        if task is None:
            task = self._asked[name] = asyncio.create_task(self._pin(name))
            task.add_done_callback(lambda _: self._asked.pop(name, None))
        return await asyncio.shield(task)

    async def _pin(self, name: str) -> str:
        image = await images.inspect(self._client, name)
        if image is not None and "@" not in images.pin_of(image, name):
            return str(image["Id"])  # built here: there is no registry to ask
        return await images.remote_digest(self._client, name)


def recorded(image: Mapping[str, Any] | None) -> Pins:
    """The bases that an image was built on; empty where its label does not say."""
    labels = ((image or {}).get("Config") or {}).get("Labels") or {}
    try:
        pins = json.loads(labels.get(LABEL) or "{}")
    except ValueError:
        return {}
    return {str(name): str(pin) for name, pin in pins.items()} if isinstance(pins, dict) else {}


def label_of(pins: Mapping[str, str]) -> str:
    """The value of the label."""
    return json.dumps(dict(pins), sort_keys=True)


def suffix_of(pins: Mapping[str, str]) -> str:
    """The suffix of a release that is built on these."""
    return sha256(label_of(pins).encode()).hexdigest()[:_DIGITS]


def are_newer(pins: Mapping[str, str], built_on: Mapping[str, str]) -> bool:
    """Whether any of them is another one than a build stands on, as far as that is on record."""
    return any(built_on.get(name, pin) != pin for name, pin in pins.items())


def is_same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two images hold the same files and start in the same way, whenever and by what they were built."""
    return one["Id"] == other["Id"] or _content(one) == _content(other)


def _content(image: Mapping[str, Any]) -> tuple[Any, ...]:
    config = {name: value for name, value in (image.get("Config") or {}).items() if name not in ("Image", "Hostname")}
    labels = {name: value for name, value in (config.pop("Labels", None) or {}).items() if name != LABEL}
    return (image.get("RootFS") or {}).get("Layers"), config, labels
