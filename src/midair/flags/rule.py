"""One flag, ready to be evaluated: its outcomes made beforehand, its targeting compiled."""

from __future__ import annotations

import json

from midair.flags import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Context = Mapping[str, Any]
    Evaluate = Callable[[Context], "Outcome"]


class Absent:
    """There is no value here: the caller's own default is to be used."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()
PARSE_ERROR, GENERAL, TYPE_MISMATCH = "PARSE_ERROR", "GENERAL", "TYPE_MISMATCH"
FLAG_NOT_FOUND, NOT_READY = "FLAG_NOT_FOUND", "PROVIDER_NOT_READY"


class Outcome:
    """What a flag can come to. Made once, handed out each time; `count` is how often."""

    __slots__ = ("code", "count", "message", "metadata", "reason", "value", "variant")

    def __init__(
        self,
        value: Any = ABSENT,
        variant: str | None = None,
        reason: str = "ERROR",
        code: str | None = None,
        message: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.value = value
        self.variant = variant
        self.reason = reason
        self.code = code
        self.message = message
        self.metadata = metadata or {}
        self.count = 0

    def __repr__(self) -> str:
        what = f"{self.code}: {self.message}" if self.code else f"{self.variant}={self.value!r}"
        return f"<Outcome {what} ({self.reason})>"


class Rule:
    """What the writer of source needs to know of the flag a rule belongs to."""

    def __init__(self, key: str, flag: Mapping[str, Any], version: str, clock: Callable[[], int]) -> None:
        self.key = key
        self.version = version
        self.clock = clock
        self.metadata = flag.get("metadata") or {}
        self.variants: Mapping[str, Any] = flag.get("variants") or {}
        self.default_variant = flag.get("defaultVariant")
        self.outcomes: dict[str, Outcome] = {}  # by variant
        self.default = self.fallback("DEFAULT")

    def fallback(self, reason: str) -> Outcome:
        """What users get whom no rule matches."""
        variant = self.default_variant
        if variant is None or variant == "":
            return Outcome(reason="DEFAULT", metadata=self.metadata)
        return self.outcome(named(variant), reason)

    def outcome(self, variant: str, reason: str) -> Outcome:
        value = self.variants.get(variant)
        if value is None:
            problem = f'the variant "{variant}" is not among the variants'
            return Outcome(code=GENERAL, message=problem, metadata=self.metadata)
        return Outcome(value, variant, reason, metadata=self.metadata)

    def pick(self, value: Any) -> Outcome:
        """What a rule's answer leads to: null to the default, true and 1 to the variants of that name."""
        if value is None:
            return self.default
        variant = value if value.__class__ is str else named(value)
        found = self.outcomes.get(variant)
        if found is None:
            found = self.outcome(variant, "TARGETING_MATCH")
            if variant in self.variants:  # anything else may be a different text each time
                self.outcomes[variant] = found
        return found

    def surroundings(self, context: Context) -> dict[str, Any]:
        """All that a rule may read, for rules that ask for more than single values."""
        flagd = {"flagKey": self.key, "timestamp": self.clock()}
        return {**context, "$flagd": flagd, "targetingKey": context.get("targetingKey")}


def named(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Flag:
    """A compiled flag. `evaluate` takes the context as a mapping with `targetingKey` in it."""

    __slots__ = ("evaluate", "key", "raw", "rule", "single")

    def __init__(self, key: str, raw: bytes, version: str, clock: Callable[[], int]) -> None:
        self.key = key
        self.raw = raw
        self.rule: Rule | None = None
        self.single: Outcome | None = None
        try:
            flag = json.loads(raw)
            self.rule = Rule(key, flag, version, clock)
            self.evaluate = self.compile(flag)
        except (ValueError, TypeError, AttributeError, RecursionError) as problem:
            self.evaluate = self.always(Outcome(code=PARSE_ERROR, message=f'flag "{key}" is broken: {problem}'))

    def compile(self, flag: Mapping[str, Any]) -> Evaluate:
        rule = self.rule
        assert rule is not None
        if flag.get("state") == "DISABLED":
            return self.always(Outcome(reason="DISABLED", metadata=rule.metadata))
        targeting = flag.get("targeting")
        if not targeting:
            return self.always(rule.fallback("STATIC"))
        if not isinstance(targeting, dict):
            raise ValueError("targeting should be an object")
        return source.function(rule, targeting, "result")

    def always(self, outcome: Outcome) -> Evaluate:
        self.single = outcome
        return lambda context: outcome

    def outcomes(self) -> list[Outcome]:
        """All that were handed out so far, for counting."""
        found = [self.single] if self.single is not None else []
        if self.rule is not None:
            found += [self.rule.default, *self.rule.outcomes.values()]
        return found
