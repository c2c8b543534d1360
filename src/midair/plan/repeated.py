"""Which texts of a plan were there before: a warning that is shown every time is not read any more."""

from collections.abc import Iterable

from msgspec.structs import replace

from midair.model.plan import Plan


def with_repeated(plan: Plan, earlier: Iterable[Plan]) -> Plan:
    """The plan that names the warnings and notes which plans of earlier changes had in the same words."""
    known = {text for each in earlier for text in (*each.warnings, *each.notes)}
    return replace(plan, repeated=tuple(text for text in (*plan.warnings, *plan.notes) if text in known))
