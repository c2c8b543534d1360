"""What differs between two services, field by field. Values are compared, not judged."""

from typing import Any, Literal

import msgspec

from midair.model.project import Service
from midair.plan.fields import Path, fields_of


class Difference(msgspec.Struct, frozen=True):
    """One field that is not the same on both sides. None: it is not there."""

    path: Path
    before: Any
    after: Any

    @property
    def kind(self) -> Literal["added", "changed", "removed"]:
        """What became of the field."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def diff(before: Service, after: Service) -> tuple[Difference, ...]:
    """The differences of two services, ordered by path. Equal services have none."""
    old, new = fields_of(before), fields_of(after)
    return tuple(
        Difference(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )
