"""The one table: every field of a Compose service, and what changing it takes on each runtime.

It is code (`classify` and `revision` ask it) and documentation (the Compose reference is written from it).
"""

from collections.abc import Iterator

from midair.errors import PlanRefused
from midair.plan.table import code, container, rollout
from midair.plan.table.row import RUNTIMES, Group, Row, RowClass

__all__ = ["GROUPS", "RUNTIMES", "Group", "Row", "RowClass", "row_of", "rows"]

GROUPS: tuple[Group, ...] = (
    code.RUN,
    rollout.COUNT,
    rollout.HEALTH,
    container.NETWORK,
    container.STORAGE,
    container.LIMITS,
    container.RIGHTS,
    container.LABELS,
    rollout.MIDAIR,
)


def rows() -> Iterator[Row]:
    """Every row, in the order of the groups."""
    for group in GROUPS:
        yield from group.rows


_BY_PATH: dict[tuple[str, ...], Row] = {tuple(row.path.split(".")): row for row in rows()}


def row_of(path: tuple[str, ...]) -> Row:
    """The row that speaks for a path: its own, or that of the nearest field above it.

    Raises PlanRefused when the table does not know the field; the reader refuses such a field first.
    """
    for length in range(len(path), 0, -1):
        head = path[:length]
        if head in _BY_PATH:
            return _BY_PATH[head]
        if length == 3 and (head[0], "*", head[2]) in _BY_PATH:
            return _BY_PATH[head[0], "*", head[2]]
    raise PlanRefused(f'cannot plan "{".".join(path)}": no service has such a field')
