"""The native client: one typed call per kind of value, cheap enough for the hottest path."""

from __future__ import annotations

import os

from midair.flags.engine import NOTHING, Table
from midair.flags.rule import ABSENT, TYPE_MISMATCH, Outcome
from midair.openfeature import disk
from midair.openfeature.http import Address
from midair.openfeature.keeper import Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from midair.flags.rule import Context

KINDS: dict[type, tuple[type, ...]] = {
    bool: (bool,),
    str: (str,),
    int: (int,),
    float: (float, int),
    dict: (dict, list),
}


class Details:
    """A value and how it came about. `code` is set when `value` is the caller's default because of a failure."""

    __slots__ = ("code", "message", "metadata", "reason", "value", "variant")

    def __init__(self, value: Any, outcome: Outcome, metadata: Mapping[str, Any]) -> None:
        self.value = value
        self.variant = outcome.variant
        self.reason = outcome.reason
        self.code = outcome.code
        self.message = outcome.message
        self.metadata = metadata


class Flags:
    """The flags of one project, kept up to date by a thread of their own.

    >>> flags = Flags("unix:/run/midair/api.sock", "shop")
    >>> flags.boolean("new-button", False, {"targetingKey": user.id, "country": "DE"})

    Asking never waits and never raises: a failure gives the default, and is counted, logged once and seen in
    `details`. After a fork the child follows changes by itself.
    """

    def __init__(
        self,
        url: str = "",
        flag_set: str = "",
        *,
        token: str | None = None,
        cache: str | bool = True,
        wait: float = 2.0,
        count_every: float = 10.0,
    ) -> None:
        """`url`: what MIDAIR_FLAGS says unless given; a set may be named behind `#`. `cache`: a path, or whether to
        keep the last good set at the usual place. `wait`: for the first set, in seconds; -1 begins later, by `start`.
        """
        url, _, named = (url or os.environ.get("MIDAIR_FLAGS", "")).partition("#")
        flag_set = flag_set or named
        path = disk.default_path(url, flag_set) if cache is True else cache or None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.table: Table
        self.keeper = Keeper(Address(url), flag_set, path, headers)
        self.keeper.count_every = count_every
        self.keeper.put = self.take
        self.take(self.keeper.table)
        if wait >= 0:
            self.start(wait)

    def start(self, wait: float = 2.0) -> bool:
        """Begins to follow the server; True once its flags are here, False when that takes longer than `wait`."""
        self.keeper.start()
        return self.keeper.fresh.wait(wait)

    def close(self) -> None:
        self.keeper.stop()

    def __enter__(self) -> Flags:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, table: Table) -> None:
        self.table = table

    # Looking

    @property
    def state(self) -> str:
        """ready, stale or error; "" before the first word."""
        return self.keeper.state

    @property
    def version(self) -> str:
        return str(self.table.metadata.get("version", ""))

    @property
    def age(self) -> float | None:
        """Seconds since the server last said anything, for a gauge or a readiness check."""
        import time

        return time.monotonic() - self.keeper.heard if self.keeper.heard else None

    def listen(self, listener: Callable[[str, list[str], str], None]) -> None:
        """`listener(event, flags, message)`; event is ready, stale, error or changed. Runs in another thread."""
        self.keeper.listener = listener

    # Asking. Each body is written out: a call in between would cost a third more.

    def boolean(self, key: str, default: bool, context: Context = NOTHING) -> bool:
        try:
            outcome = self.table[key](context)
        except Exception:
            return bool(self.details(key, default, context, bool).value)
        outcome.count += 1  # nothing can come in between: no call, no jump
        value = outcome.value
        return value if value.__class__ is bool else self.other(key, default, outcome, bool).value

    def string(self, key: str, default: str, context: Context = NOTHING) -> str:
        try:
            outcome = self.table[key](context)
        except Exception:
            return str(self.details(key, default, context, str).value)
        outcome.count += 1
        value = outcome.value
        return value if value.__class__ is str else self.other(key, default, outcome, str).value

    def integer(self, key: str, default: int, context: Context = NOTHING) -> int:
        return int(self.details(key, default, context, int).value)

    def float(self, key: str, default: float, context: Context = NOTHING) -> float:
        return self.details(key, default, context, float).value * 1.0  # type: ignore[no-any-return]

    def object(self, key: str, default: Any, context: Context = NOTHING) -> Any:
        return self.details(key, default, context, dict).value

    def details(self, key: str, default: Any, context: Context, kind: type) -> Details:
        """The value with variant, reason, error code and metadata. `kind`: bool, str, int, float or dict."""
        outcome = self.table.resolve(key, context)
        if outcome.code is None:
            outcome.count += 1
        return self.other(key, default, outcome, kind)

    def other(self, key: str, default: Any, outcome: Outcome, kind: type) -> Details:
        table = self.table
        if outcome.code is None:
            if outcome.value is ABSENT:
                return Details(default, outcome, table.described(outcome))
            if outcome.value.__class__ in KINDS[kind]:
                return Details(outcome.value, outcome, table.described(outcome))
            message = f'flag "{key}" is a {type(outcome.value).__name__}, not a {kind.__name__}'
            outcome = Outcome(code=TYPE_MISMATCH, message=message, metadata=outcome.metadata)
        self.missed(key, outcome)
        return Details(default, outcome, table.described(outcome))

    def missed(self, key: str, outcome: Outcome) -> None:
        """No default is silent: each failure is counted, and the first of its kind is logged."""
        misses, place = self.keeper.misses, (key, outcome.code or "")
        if place not in misses:
            import logging  # heavy, and only needed when something is wrong

            logging.getLogger("midair.flags").warning('flag "%s" gave its default: %s', key, outcome.message)
        misses[place] = misses.get(place, 0) + 1
