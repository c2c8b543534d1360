"""What a project is called: as asked for, or by its file, or by its folder."""

import posixpath
import re

from midair.model.project import Named
from midair.spec.interpolate import BadTemplate, substitute
from midair.spec.node import Mark, Node
from midair.spec.problems import Problems, got
from midair.spec.source import Environment, Sources

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_LONGEST = 63


def project_name(
    sources: Sources, files: tuple[str, ...], given: str | None, environment: Environment, folder: str
) -> tuple[str, Named]:
    """The first of: the one given, COMPOSE_PROJECT_NAME, `name:` of the last file that has it, the folder's name."""
    asked = given or environment.get("COMPOSE_PROJECT_NAME")
    if asked:
        return _checked(asked, sources.problems, None), "asked"
    for file in reversed(files):
        for document in reversed(sources.documents(file)):
            node = document.get("name")
            if node is not None and isinstance(node.value, str):
                name = _from_file(node, environment)
                if name:
                    return _checked(name, sources.problems, node), "file"
    name = _made_from(posixpath.basename(folder))
    if not name:
        place = Mark(sources.label(files[0]), 1, 1) if files else None
        message = f"the folder {got(posixpath.basename(folder))} makes no name for the project; write name: or use -p"
        sources.problems.add("name", message, place)
    return name or "project", "folder"


def _made_from(text: str) -> str:
    return re.sub(r"[^-_a-z0-9]", "", text.lower()).lstrip("_-")


def _from_file(node: Node, environment: Environment) -> str:
    """As Compose has it, `name: My Shop!` is made a name, and one that leaves nothing counts as absent."""
    try:
        return _made_from(substitute(node.value, environment.get, lambda name: None))
    except BadTemplate:
        # Reported when the file is read.
        return "project"


def _checked(name: str, problems: Problems, node: Node | None) -> str:
    if _NAME.fullmatch(name) and len(name) <= _LONGEST:
        return name
    wanted = f"should be at most {_LONGEST} lower case letters, digits, - and _, and start with a letter or digit"
    problems.add("name", f"{wanted}, got {got(name)}", node)
    return "project"
