"""The canonical form of `build` becomes what midair acts on: paths are absolute, secrets lead to their files."""

from typing import Any

from midair.model.project import Build
from midair.spec.paths import is_remote, join_path

_OWN = ("context", "dockerfile", "target", "args", "secrets")  # have attributes of their own
_SECRETS = "/run/secrets/"


def build_of(fields: dict[str, Any], own: dict[str, Any], folder: str, secrets: dict[str, Any]) -> Build | None:
    """The typed `build`. `secrets` are those of the whole file."""
    build = fields.get("build")
    if build is None:
        return None
    extra = own.get("build", {})
    return Build(
        context=_place(build["context"], folder),
        dockerfile=build.get("dockerfile"),
        target=build.get("target"),
        args={key: value or "" for key, value in build.get("args", {}).items()},
        command=extra.get("command"),
        ignore=tuple(extra.get("ignore", ())),
        settings=_settings(build, folder),
        secrets=dict(_secret(entry, folder, secrets) for entry in build.get("secrets", ())),
    )


def secret_id(entry: dict[str, Any]) -> str:
    """The id by which a Dockerfile mounts a secret: its target, else its name."""
    return str(entry.get("target") or entry["source"]).removeprefix(_SECRETS)


def _settings(build: dict[str, Any], folder: str) -> dict[str, Any]:
    settings = {name: value for name, value in build.items() if name not in _OWN}
    contexts = settings.get("additional_contexts")
    if contexts:
        settings["additional_contexts"] = {name: _place(place, folder) for name, place in contexts.items()}
    return settings


def _secret(entry: dict[str, Any], folder: str, secrets: dict[str, Any]) -> tuple[str, str]:
    file = (secrets.get(entry["source"]) or {}).get("file")
    return secret_id(entry), _place(file, folder) if file else ""


def _place(path: str, folder: str) -> str:
    return path if is_remote(path) else join_path(folder, path)
