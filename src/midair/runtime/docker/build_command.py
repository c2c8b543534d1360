"""`build` of a Compose file → the command line of `docker build` or `docker buildx build`. Pure."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal

from midair.model.project import Build
from midair.spec.paths import is_remote

_NONE: Mapping[str, str] = {}
Builder = Literal["buildx", "buildkit", "classic"]  # the plugin; BuildKit as docker 20.10 to 22 has it; neither

# What the plugin alone passes on; a `docker build` without it has no option of the kind.
_BUILDX = (
    "additional_contexts", "cache_to", "entitlements", "no_cache_filter", "privileged", "provenance", "sbom",
)  # fmt: skip
_BUILDKIT = ("ssh", "platforms")
_CLASSIC = ("shm_size", "ulimits")  # BuildKit has them with the plugin alone

_NAMED = {"network": "--network", "isolation": "--isolation", "shm_size": "--shm-size", "provenance": "--provenance",
          "sbom": "--sbom"}  # fmt: skip
_LISTED = {
    "cache_from": "--cache-from", "cache_to": "--cache-to", "no_cache_filter": "--no-cache-filter",
    "ssh": "--ssh", "tags": "--tag", "entitlements": "--allow",
}  # fmt: skip


def chosen(builder: Builder, build: Build) -> Builder:
    """What builds the image with this docker command: the old builder for what BuildKit has no option for."""
    return "classic" if builder == "buildkit" and _set(build, _CLASSIC) else builder


def missing(builder: Builder, build: Build) -> list[str]:
    """Settings that the docker command cannot pass on, as they are named in the file."""
    names = [f"additional_contexts.{name}" for name in _of_services(build)]
    if builder == "buildx":
        return names
    names += [name for name in _set(build, _BUILDX) if name != "additional_contexts" or not names]
    platforms = build.settings.get("platforms") or ()
    names += ["platforms"] if len(platforms) > 1 else []
    if chosen(builder, build) == "classic":
        names += [name for name in _set(build, _BUILDKIT) if name not in names]
        names += ["secrets"] if build.secrets else []
    return names


def arguments(
    project: str,
    build: Build,
    tag: str,
    builder: Builder,
    secrets: Mapping[str, str],
    labels: Mapping[str, str] = _NONE,
) -> list[str]:
    """What the docker command is given. `secrets`: files by id. An inline Dockerfile is read from stdin."""
    settings = build.settings
    given = ["buildx", "build", "--load"] if builder == "buildx" else ["build"]
    given += ["--tag", tag, "--label", f"com.docker.compose.project={project}"]
    given += [f"--label={name}={value}" for name, value in labels.items()]
    for name, value in build.args.items():
        given += ["--build-arg", f"{name}={value}"]
    given += _dockerfile(build)
    if build.target:
        given += ["--target", build.target]
    for name, option in _NAMED.items():
        given += [f"{option}={settings[name]}"] if settings.get(name) else []
    for name, option in _LISTED.items():
        given += [f"{option}={value}" for value in settings.get(name) or ()]
    given += ["--no-cache"] if settings.get("no_cache") else []
    given += ["--pull"] if settings.get("pull") else []
    given += ["--allow=security.insecure"] if settings.get("privileged") else []
    given += [f"--label={name}={value}" for name, value in (settings.get("labels") or {}).items()]
    given += [f"--add-host={entry.replace('=', ':', 1)}" for entry in settings.get("extra_hosts") or ()]
    given += [f"--build-context={name}={place}" for name, place in (settings.get("additional_contexts") or {}).items()]
    given += [f"--ulimit={name}={_ulimit(value)}" for name, value in (settings.get("ulimits") or {}).items()]
    given += [f"--platform={','.join(settings['platforms'])}"] if settings.get("platforms") else []
    given += [f"--secret=id={name},src={path}" for name, path in secrets.items()]
    return [*given, build.context]


def _dockerfile(build: Build) -> list[str]:
    if build.settings.get("dockerfile_inline"):
        return ["--file", "-"]
    if not build.dockerfile:
        return []
    return ["--file", build.dockerfile if is_remote(build.context) else str(PurePath(build.context, build.dockerfile))]


def _ulimit(value: Any) -> str:
    return f"{value['soft']}:{value['hard']}" if isinstance(value, Mapping) else str(value)


def _set(build: Build, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if build.settings.get(name)]


def _of_services(build: Build) -> list[str]:
    """Further contexts that are images of other services, which no docker command knows."""
    contexts = build.settings.get("additional_contexts") or {}
    return [name for name, place in contexts.items() if str(place).startswith("service:")]
