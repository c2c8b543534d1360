"""The image of fronts: the interpreter that runs midair and the few modules that a keeper needs. No registry is asked.

Every file lies at the path that it has on this machine, so the interpreter finds its parts as it does here.
"""

import asyncio
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import aiodocker
import msgspec
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.runtime.docker.client import trouble

REPOSITORY = "midair-front"
_CODE = "/midair"  # where midair's own modules lie in the image
_KEEPER = "midair.runtime.docker.front.keeper"
_FOLDERS = ("dev", "etc", "proc", "run", "run/front", "sys", "tmp")
_LIST = f"""
import sys, json
sys.path.insert(0, sys.argv[1])
import {_KEEPER}
found = [module for module in sys.modules.values() if getattr(module, "__file__", None)]
print(json.dumps([[module.__name__, module.__file__] for module in found]))
"""


class Packed(msgspec.Struct, frozen=True):
    """A root file system as a tar archive, and the name of the image that is made of it."""

    name: str
    archive: bytes


def command(service: str) -> list[str]:
    """What a front runs."""
    code = f"import sys; sys.path.insert(0, {_CODE!r}); from {_KEEPER} import main; main(*sys.argv[1:])"
    return [os.path.realpath(sys.executable), "-ISB", "-c", code, "/run/front", service]


async def ensure_image(client: aiodocker.Docker) -> str:
    """The name of the image, imported if the engine has it not. Raises RuntimeTrouble."""
    try:
        packed = await asyncio.to_thread(pack)
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeTrouble(f"cannot make the image of fronts: {error}") from error
    async with trouble("make the image of fronts"):
        try:
            await client.images.inspect(packed.name)
        except DockerError as error:
            if error.status != 404:
                raise
            await _import(client, packed)
    return packed.name


async def remove_unused(client: aiodocker.Docker) -> None:
    """Remove images of fronts that no container uses. Raises RuntimeTrouble."""
    async with trouble("list images"):
        filters = json.dumps({"reference": [REPOSITORY]})
        listed: list[dict[str, Any]] = await client._query_json("images/json", params={"filters": filters})
    for image in listed:
        async with trouble(f'remove image "{image["Id"][:19]}"'):
            try:
                await client.images.delete(image["Id"])
            except DockerError as error:
                if error.status not in (404, 409):  # gone already, or in use
                    raise


async def _import(client: aiodocker.Docker, packed: Packed) -> None:
    repository, _, tag = packed.name.partition(":")
    params = {"fromSrc": "-", "repo": repository, "tag": tag, "message": "made by midair"}
    headers = {"Content-Type": "application/x-tar"}
    async with client._query("images/create", "POST", params=params, data=packed.archive, headers=headers) as answer:
        await answer.read()
    await client.images.inspect(packed.name)


@cache
def pack() -> Packed:
    """Read once in the life of a daemon. Raises OSError or SubprocessError when a part cannot be read."""
    files = _files()
    digest = hashlib.sha256()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for place, content, mode in sorted(files):
            entry = tarfile.TarInfo(place.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
            digest.update(f"{place}\0{len(content)}\0".encode() + content)
    return Packed(f"{REPOSITORY}:{digest.hexdigest()[:12]}", buffer.getvalue())


def _files() -> list[tuple[str, bytes, int]]:
    """Place in the image, content and mode of each file."""
    executable = os.path.realpath(sys.executable)
    source = Path(__file__).parents[4]
    listed = subprocess.run(
        [executable, "-ISB", "-c", _LIST, str(source)], check=True, capture_output=True, text=True, timeout=30
    )
    modules: list[tuple[str, str]] = json.loads(listed.stdout)
    own = {path for name, path in modules if name.partition(".")[0] == "midair"}
    native = [executable, *(path for _, path in modules if path.endswith(".so"))]
    files = {path: path for _, path in modules if path not in own}
    files |= {f"{_CODE}/{Path(path).relative_to(source)}": path for path in own}
    files |= {executable: executable} | {name: name for path in native for name in _libraries(path)}
    return [
        (place, Path(path).read_bytes(), 0o755 if path in native or ".so" in path else 0o644)
        for place, path in files.items()
    ]


def _libraries(path: str) -> list[str]:
    """What it is linked with, by the names under which the loader looks for it."""
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=30).stdout
    return re.findall(r"(/\S+) \(0x", listed)
