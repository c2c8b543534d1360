"""The class of each difference on a runtime, with its cause, from the table. Decides nothing else."""

from typing import Any

from midair.model.capabilities import RuntimeName
from midair.model.plan import FieldChange, FieldClass
from midair.plan.diff import Difference
from midair.plan.table import row_of

HEAVINESS: tuple[FieldClass, ...] = ("live", "reload", "resize", "replace", "recreate", "refuse")


def classify(difference: Difference, runtime: RuntimeName) -> FieldChange:
    """How one changed field will be carried out, and why."""
    row = row_of(difference.path)
    found = row.on(runtime)
    return FieldChange(
        path=".".join(difference.path),
        kind=difference.kind,
        field_class="live" if found == "named" else found,
        cause=f"no effect: {row.why(runtime)}" if found == "named" else row.why(runtime),
        before=_text(difference.before, difference.path[-1]) if row.shown else None,
        after=_text(difference.after, difference.path[-1]) if row.shown else None,
    )


def heaviest(changes: tuple[FieldChange, ...]) -> FieldClass:
    """The class that decides what happens to a service."""
    return max((change.field_class for change in changes), key=HEAVINESS.index)


_BYTES = {"memory", "mem_limit", "mem_reservation", "memswap_limit", "shm_size"}


def _text(value: Any, name: str) -> str | None:
    """A value in one line for people; structures are told by their path alone."""
    if value is None or isinstance(value, dict | list):
        return None
    if name in _BYTES and str(value).isdigit():
        return _size(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _size(count: int) -> str:
    """Bytes in the largest unit that leaves a whole number."""
    for unit in ("B", "KiB", "MiB"):
        if count == 0 or count % 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"
