"""Files that say what should run are not code: a change of one is told for what it says, not as new code."""

import re

from msgspec.structs import replace

from midair.model.project import Project, Service
from midair.spec.paths import from_folder, is_remote, join_path

_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def without_own_files(project: Project, files: tuple[str, ...]) -> Project:
    """The project whose services leave these files, and that of the flags, out of their releases.

    What a service says itself comes after it, so `build: {ignore: ["!flags.json"]}` keeps one.
    """
    flags = project.extension.get("flags")
    named = (join_path(project.folder, flags),) if isinstance(flags, str) else ()
    services = {name: _without(service, (*files, *named)) for name, service in project.services.items()}
    return replace(project, services=services)


def _without(service: Service, files: tuple[str, ...]) -> Service:
    build = service.build
    if build is None or is_remote(build.context):
        return service
    ways = (from_folder(file, build.context) for file in files)
    rules = tuple("/" + _SPECIAL.sub(r"\\\1", way) for way in ways if not way.startswith("../"))
    return replace(service, build=replace(build, ignore=rules + build.ignore))
