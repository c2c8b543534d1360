"""Who would get something else: for known users, a set of flags beside another."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from midair.flags.definition import FlagSet
from midair.flags.engine import Table
from midair.flags.plain import lines


class Moves(msgspec.Struct, frozen=True):
    """How many of the known users a change moves, per flag and altogether."""

    known: int
    moved: int  # users for whom at least one flag changes
    by_flag: dict[str, int]


def moves(before: FlagSet, after: FlagSet, users: Iterable[Mapping[str, Any]], now: float) -> Moves:
    """`users` are evaluation contexts, at least `{"targetingKey": …}`."""
    old, new = (Table(lines(flags), version=flags.fractional, clock=lambda: int(now)) for flags in (before, after))
    keys = [key for key in old.raw if key in new.raw]
    by_flag = dict.fromkeys(keys, 0)
    known = moved = 0
    for user in users:
        known += 1
        different = [key for key in keys if answer(old, key, user) != answer(new, key, user)]
        for key in different:
            by_flag[key] += 1
        moved += bool(different)
    return Moves(known, moved, {key: number for key, number in by_flag.items() if number})


def answer(table: Table, key: str, user: Mapping[str, Any]) -> tuple[str | None, str | None]:
    outcome = table.resolve(key, user)
    return outcome.variant, outcome.code


def sample(size: int = 10_000) -> list[dict[str, Any]]:
    """Made-up users, for an estimate where none are known."""
    return [{"targetingKey": f"user-{number}"} for number in range(size)]
