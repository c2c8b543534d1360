"""The OpenFeature provider: evaluates in the process, follows the server, and tells what happens to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from midair.flags.rule import Outcome
from midair.openfeature import keeper
from midair.openfeature.flags import KINDS, Flags

Values = Sequence[FlagValueType] | Mapping[str, FlagValueType]

EVENTS = {
    keeper.READY: ProviderEvent.PROVIDER_READY,
    keeper.STALE: ProviderEvent.PROVIDER_STALE,
    keeper.ERROR: ProviderEvent.PROVIDER_ERROR,
    keeper.CHANGED: ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
}


class MidairProvider(AbstractProvider):
    """`api.set_provider(MidairProvider("http://127.0.0.1:8016", "shop"))`. Takes what `Flags` takes."""

    def __init__(self, url: str = "", flag_set: str = "", *, flags: Flags | None = None, **options: Any) -> None:
        super().__init__()
        self.wait = options.pop("wait", 2.0)
        self.flags = flags or Flags(url, flag_set, wait=-1, **options)
        self.flags.listen(self.happened)

    def get_metadata(self) -> Metadata:
        return Metadata(name="midair")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Ready with the server's flags, or with those on disk; an error when there are neither."""
        self.flags.start(self.wait)
        if not self.flags.table.loaded:
            raise ProviderNotReadyError(f"no flags were loaded yet: {self.flags.keeper.problem or 'no answer'}")

    def shutdown(self) -> None:
        self.flags.close()

    def happened(self, event: str, flags: list[str], message: str) -> None:
        code = None
        if event == keeper.ERROR:
            code = ErrorCode.GENERAL if self.flags.table.loaded else ErrorCode.PROVIDER_NOT_READY
        metadata = {name: value for name, value in self.flags.table.metadata.items() if value is not None}
        details = ProviderEventDetails(
            flags_changed=flags or None, message=message or None, error_code=code, metadata=metadata
        )
        self.emit(EVENTS[event], details)

    def resolve(self, key: str, default: Any, context: EvaluationContext | None, kind: type) -> Any:
        table = self.flags.table
        around = {} if context is None else {**context.attributes, "targetingKey": context.targeting_key}
        try:
            outcome = table[key](around)
        except Exception:
            outcome = table.resolve(key, around)
        if outcome.code is not None or outcome.value.__class__ not in KINDS[kind]:
            return self.unusual(key, default, outcome, kind)
        outcome.count += 1
        value: Any = outcome.value
        if kind is float:
            value = float(value)
        return FlagResolutionDetails(value, None, None, outcome.reason, outcome.variant, table.described(outcome))

    def unusual(self, key: str, default: Any, outcome: Outcome, kind: type) -> FlagResolutionDetails[Any]:
        found = self.flags.other(key, default, outcome, kind)
        code = ErrorCode(found.code) if found.code else None
        return FlagResolutionDetails(found.value, code, found.message, found.reason, found.variant, found.metadata)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self.resolve(flag_key, default_value, evaluation_context, bool)  # type: ignore[no-any-return]

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self.resolve(flag_key, default_value, evaluation_context, str)  # type: ignore[no-any-return]

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self.resolve(flag_key, default_value, evaluation_context, int)  # type: ignore[no-any-return]

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self.resolve(flag_key, default_value, evaluation_context, float)  # type: ignore[no-any-return]

    def resolve_object_details(
        self, flag_key: str, default_value: Values, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Values]:
        return self.resolve(flag_key, default_value, evaluation_context, dict)  # type: ignore[no-any-return]
