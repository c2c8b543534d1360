"""Finds and reads the Compose files of a project, as Docker Compose would: the thin shell around `midair.spec`."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from midair.cli.contents import with_contents
from midair.cli.place import NAMES, folder_id
from midair.errors import FileRefused, NotFound, Problem
from midair.model.project import Project
from midair.spec import load
from midair.spec.dotenv import BadLine, parse_dotenv, unset_in

OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
LARGEST = 4_000_000  # bytes; what is longer is no Compose file
# What programs expect of a shell. Everything else has to be written in the file.
SHELL_NAMES = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM",
    "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "VIRTUAL_ENV", "LD_LIBRARY_PATH", "JAVA_HOME", "GOPATH", "NVM_DIR",
)  # fmt: skip


def load_project(
    files: Sequence[str] = (),
    project_name: str | None = None,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Project:
    """Find the files, read them and say what should run. Raises NotFound or FileRefused."""
    here = Path(cwd or Path.cwd())
    shell = dict(os.environ if environ is None else environ)
    # A `.env` beside the files may name the files; the shell's variables win over its own.
    variables = {**_variables(env_files, here, here, shell), **shell}
    found = _find(files, here, variables)
    folder = found[0].parent
    warnings: dict[str, None] = {}
    variables = {**_variables(env_files, here, folder, shell, warnings), **shell}
    active = (*profiles, *(name for name in variables.get("COMPOSE_PROFILES", "").split(",") if name))
    project = load(
        tuple(str(file) for file in found),
        read,
        variables,
        folder=str(folder),
        project_name=project_name,
        profiles=active,
        shell=_kept(shell) | {"PWD": str(folder)},
    )
    project = msgspec.structs.replace(
        project, warnings=(*warnings, *project.warnings), folder_id=folder_id(project.folder)
    )
    project = with_contents(project, variables)
    named = project.extension.get("flags")
    if not named:
        return project
    from midair.cli.flag_read import read_flags

    flags, odd = read_flags(str(folder), named)
    return msgspec.structs.replace(project, flags=flags, warnings=(*project.warnings, *odd))


def _kept(shell: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in shell.items() if name in SHELL_NAMES or name.startswith("LC_")}


def read(path: str) -> str:
    """The text of a file. Raises OSError or ValueError."""
    with Path(path).open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST} bytes")
    return data.decode("utf-8-sig")


def _find(files: Sequence[str], here: Path, variables: Mapping[str, str]) -> list[Path]:
    if not files and (named := variables.get("COMPOSE_FILE")):
        files = [name for name in named.split(variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep) if name]
    if files:
        return [_existing(here / name) for name in files]
    for folder in (here, *here.parents):
        main = next((folder / name for name in NAMES if (folder / name).is_file()), None)
        if main is not None:
            override = next((folder / name for name in OVERRIDES if (folder / name).is_file()), None)
            return [main] if override is None else [main, override]
    raise NotFound(
        f'cannot find a Compose file: no {NAMES[0]} in "{here}" or a folder above it',
        hint="write one, or name it with -f",
    )


def _note_unset(warnings: dict[str, None], file: str, name: str, line: int) -> None:
    warnings[unset_in(file, name, line)] = None


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(f'cannot read "{path}": no such file', hint="check the path after -f or in COMPOSE_FILE")
    return Path(os.path.normpath(path))


def _variables(
    env_files: Sequence[str],
    here: Path,
    folder: Path,
    shell: Mapping[str, str],
    warnings: dict[str, None] | None = None,
) -> dict[str, str]:
    """The variables of the project's env files. `warnings` gets a key for each warning."""
    noted = {} if warnings is None else warnings
    if not env_files and (named := shell.get("COMPOSE_ENV_FILES")):
        env_files = named.split(",")
    chosen = [here / name for name in env_files] or ([folder / ".env"] if (folder / ".env").is_file() else [])
    found: dict[str, str] = {}
    for path in chosen:
        try:
            note = partial(_note_unset, noted, path.name)
            found.update(parse_dotenv(read(str(path)), lambda name: shell.get(name, found.get(name)), note))
        except BadLine as error:
            raise FileRefused((Problem("", error.message, str(path), error.line, 1),)) from None
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise FileRefused((Problem("", f"cannot read variables: {said.lower()}", str(path)),)) from None
    return found
