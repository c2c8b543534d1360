"""Other names for projects. The name that a project had first stays its key: of folders, labels, volumes, networks."""

import re
from collections.abc import Iterable

from midair.engine.keeper import Keeper
from midair.errors import Conflict, NothingToDo, UsageRefused
from midair.model.event import ProjectRenamed
from midair.view.ask import AskRename

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def rename(keeper: Keeper, ask: AskRename, others: Iterable[Keeper]) -> None:
    """Call a project otherwise, at once. Nothing that runs is touched, whatever change is under way."""
    before = keeper.state.name
    if not NAME.fullmatch(ask.name):
        raise UsageRefused(
            f'cannot rename project "{before}" to "{ask.name}": a name has at most 63 lower-case letters, digits, '
            '"-" and "_", and begins with a letter or digit'
        )
    for other in others:
        if other is not keeper and ask.name in (other.project, other.state.name):
            raise Conflict(f'cannot rename project "{before}" to "{ask.name}": {_owner(other, ask.name)}')
    if ask.name == before:
        raise NothingToDo(f'cannot rename project "{before}": it has this name already')
    event = ProjectRenamed(before, ask.name, ask.by)
    keeper.state.commit(keeper.clock(), events=((None, event),), shown=ask.name)


def refuse_old_name(name: str, keeper: Keeper | None) -> None:
    """Raise Conflict for a project under the earlier name of another one, whose volumes it would get."""
    if keeper is not None and keeper.state.change is not None and keeper.state.name != name:
        shown = keeper.state.name
        raise Conflict(
            f'cannot use project "{name}": {_owner(keeper, name)}',
            hint=f"write `name: {shown}` in the file or add -p {shown} if it is that project, else use another name",
        )


def _owner(other: Keeper, name: str) -> str:
    if other.state.name == name:
        return "another project has this name"
    return f'project "{other.state.name}" had this name, and its volumes, networks and containers keep it'
