"""All files of a project become one tree: each with its `extends` and `include`, then merged in order."""

from collections.abc import Sequence

from midair.spec.dotenv import BadLine
from midair.spec.extend import Extender
from midair.spec.merge import merge, settle
from midair.spec.node import Mark, Node, plain
from midair.spec.paths import from_folder, join_path, rebase_model
from midair.spec.problems import got, join
from midair.spec.source import Environment, Sources, reason
from midair.spec.table.project import PROJECT

_SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")
_DEEPEST = 20


def assemble(
    sources: Sources, files: Sequence[str], folder: str, environment: Environment, above: tuple[str, ...] = ()
) -> Node | None:
    """One tree in long form, paths as seen from `folder`. None when no file says anything."""
    whole: Node | None = None
    extender = Extender(sources, environment)
    for file in files:
        model = sources.model(file, environment)
        if model is None:
            continue
        model = extender.resolve(model, file, folder)
        model = _include(sources, model, folder, environment, (*above, file))
        whole = settle(PROJECT, model) if whole is None else merge(PROJECT, whole, model)
    return whole


def _include(sources: Sources, model: Node, folder: str, environment: Environment, above: tuple[str, ...]) -> Node:
    includes = model.get("include")
    if includes is None:
        return model
    model = model.with_entry("include", None)
    for index, each in enumerate(includes.items()):
        path = join("include", index)
        part = _included(sources, each, folder, environment, above, path)
        if part is not None:
            model = _import(sources, model, part, each, path)
    return model


def _included(
    sources: Sources, include: Node, folder: str, environment: Environment, above: tuple[str, ...], path: str
) -> Node | None:
    named = include.get("path")
    files = [join_path(folder, each.value) for each in named.items()] if named is not None else []
    if not files:
        return None
    if len(above) > _DEEPEST or any(file in above for file in files):
        circle = " -> ".join(got(sources.label(file)) for file in (*above, files[0]))
        sources.problems.add(path, f"goes in a circle: {circle}", include)
        return None
    unreadable = [file for file in files if not sources.documents(file, include, path)]
    if len(unreadable) == len(files):
        return None
    given = include.get("project_directory")
    inner = join_path(folder, given.value) if given is not None else join_path(files[0], "..")
    variables = _variables(sources, include, folder, inner, environment, path)
    model = assemble(sources, files, inner, {**variables, **environment}, above)
    return rebase_model(model, from_folder(inner, folder)) if model is not None else None


def _variables(
    sources: Sources, include: Node, folder: str, inner: str, environment: Environment, path: str
) -> dict[str, str]:
    named = include.get("env_file")
    files = [(join_path(folder, each.value), each) for each in named.items()] if named is not None else []
    found: dict[str, str] = {}
    for file, node in files or [(join_path(inner, ".env"), include)]:
        try:
            read = sources.variables(file, lambda name: environment.get(name, found.get(name)))
        except (OSError, ValueError) as error:
            if files:
                message = f"cannot read {got(sources.label(file))}: {reason(error)}"
                sources.problems.add(f"{path}.env_file", message, node)
            continue
        except BadLine as error:
            sources.problems.add("", error.message, Mark(sources.label(file), error.line, 1))
            continue
        found.update({name: value for name, value in read.items() if value is not None})
    return found


def _import(sources: Sources, model: Node, part: Node, include: Node, path: str) -> Node:
    for section in _SECTIONS:
        named = part.get(section)
        if named is None:
            continue
        here = model.get(section) or named.with_value({})
        for name, each in named.entries():
            there = here.get(name)
            if there is None:
                here = here.with_entry(name, each)
            elif plain(there) != plain(each):
                message = f"is also in the included file {got(each.mark.file)}, and says something else"
                sources.problems.add(join(section, name), message, there.place)
        model = model.with_entry(section, here)
    return model
