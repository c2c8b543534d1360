"""A set of flags, ready to be evaluated. Flags are compiled when first asked for, and reused while unchanged.

A set arrives as one piece of JSON text per flag. Comparing texts is all that a reload costs for flags that did not
change, so a reload never stalls those who evaluate.
"""

from __future__ import annotations

from midair.flags.rule import (
    FLAG_NOT_FOUND,
    GENERAL,
    NOT_READY,
    PARSE_ERROR,
    Flag,
    Outcome,
)
from midair.flags.source import UnknownOperator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from midair.flags.rule import Context, Evaluate

NOTHING: Mapping[str, Any] = {}
HEAVY = 8192  # bytes of a flag that is compiled before it is asked for, where nobody waits
PACE = 1023
NESTED = 64  # objects in such a flag


class Table(dict[str, "Evaluate"]):
    """Key to evaluation, in one look-up; a flag that is not compiled yet is compiled by that look-up."""

    __slots__ = ("clock", "compiled", "loaded", "metadata", "raw", "version")

    def __init__(
        self,
        raw: Mapping[str, bytes],
        *,
        version: str = "v2",
        metadata: Mapping[str, Any] = NOTHING,
        clock: Callable[[], int],
        loaded: bool = True,
    ) -> None:
        super().__init__()
        self.raw = raw
        self.version = version  # of `fractional`
        self.metadata = metadata  # of the set
        self.clock = clock
        self.loaded = loaded
        self.compiled: dict[str, Flag] = {}

    def __missing__(self, key: str) -> Evaluate:
        flag = self.compiled.setdefault(key, Flag(key, self.raw[key], self.version, self.clock))
        self[key] = flag.evaluate
        return flag.evaluate

    def reuse(self, before: Table, breathe: Callable[[], None] = lambda: None) -> list[Flag]:
        """Takes over what did not change, compiles what is heavy. Returns the flags that are used no more.

        `breathe` is called now and then, so that those who evaluate in other threads get their turn.
        """
        dropped = []
        for key in paced(
            list(before.compiled), breathe
        ):  # no pairs: so many small objects would set the garbage collector off
            flag = before.compiled[key]
            if self.version == before.version and self.raw.get(key) == flag.raw:
                self.compiled[key] = flag
                self[key] = flag.evaluate
            else:
                dropped.append(flag)
        for key in paced(self.raw, breathe):
            text = self.raw[key]
            if key not in self and (len(text) > HEAVY or text.count(b"{") > NESTED):
                self[key]
        return dropped

    def changed(self, before: Table, breathe: Callable[[], None] = lambda: None) -> list[str]:
        """The keys that came, went or are different."""
        if self.version != before.version:
            return sorted(self.raw.keys() | before.raw.keys())
        gone = [key for key in before.raw if key not in self.raw]
        return gone + [key for key in paced(self.raw, breathe) if before.raw.get(key) != self.raw[key]]

    def resolve(self, key: str, context: Context = NOTHING) -> Outcome:
        """The outcome, whatever happens: failures are outcomes with a code."""
        try:
            evaluate = self[key]
        except KeyError:
            return self.without(key)
        try:
            return evaluate(context)
        except UnknownOperator as problem:
            return Outcome(code=PARSE_ERROR, message=f'flag "{key}" uses an unknown operator, "{problem}"')
        except Exception as problem:
            return Outcome(code=GENERAL, message=f'flag "{key}" cannot be evaluated: {problem}')

    def without(self, key: str) -> Outcome:
        if self.loaded:
            return Outcome(code=FLAG_NOT_FOUND, message=f'there is no flag "{key}"')
        return Outcome(reason="NOT_LOADED", code=NOT_READY, message="no flags were loaded yet")

    def described(self, outcome: Outcome) -> Mapping[str, Any]:
        """The metadata of an outcome: the flag's own over the set's."""
        return {**self.metadata, **outcome.metadata} if self.metadata else outcome.metadata


def paced(items: Iterable[Any], breathe: Callable[[], None]) -> Iterator[Any]:
    """The items, with a breath after every so many."""
    for number, item in enumerate(items):
        if number & PACE == PACE:
            breathe()
        yield item


def empty(clock: Callable[[], int]) -> Table:
    """What there is before anything was loaded."""
    return Table({}, clock=clock, loaded=False)


def counts(flags: Iterable[Flag]) -> dict[tuple[str, str], int]:
    """How often each variant was handed out: (flag, variant) to number."""
    found: dict[tuple[str, str], int] = {}
    for flag in flags:
        for outcome in flag.outcomes():
            if outcome.count and outcome.variant is not None:
                place = (flag.key, outcome.variant)
                found[place] = found.get(place, 0) + outcome.count
    return found
