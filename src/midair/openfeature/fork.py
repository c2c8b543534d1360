"""Clients live on in forked children: each child gets a connection of its own, and nobody has to call anything."""

from __future__ import annotations

import os
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from midair.openfeature.keeper import Keeper

_keepers: weakref.WeakSet[Keeper] = weakref.WeakSet()


def follow(keeper: Keeper) -> None:
    _keepers.add(keeper)


def _in_child() -> None:
    for keeper in list(_keepers):
        keeper.after_fork()


os.register_at_fork(after_in_child=_in_child)
