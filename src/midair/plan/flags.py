"""Feature flags in a plan: what the file and commands make of them together, and what changes, in words."""

from typing import Any

import msgspec

from midair.flags import definition
from midair.flags.merge import differences, merge
from midair.flags.read import build
from midair.model.project import Applied, Project

NONE = definition.FlagSet()


class Merged(msgspec.Struct, frozen=True):
    """The flags to be, as a document."""

    document: dict[str, Any] = {}
    drift: tuple[str, ...] = ()


def merged(before: Applied | None, project: Project, *, everything: bool) -> Merged:
    """Three-way. `everything`: not for an `up` of some services, which leaves flags as they are.

    Raises FileRefused: what comes over the API was checked by nobody yet.
    """
    if before is None:
        return Merged(written(of(project.flags)))
    if not everything or not (project.flags or before.flags):
        return Merged(before.flags)
    found = merge(of(before.project.flags), of(project.flags), of(before.flags))
    return Merged(written(found.flags), found.drift)


def of(document: dict[str, Any]) -> definition.FlagSet:
    return build(document, "flags") if document else NONE


def written(flags: definition.FlagSet) -> dict[str, Any]:
    return definition.document(flags) if flags != NONE else {}


def lines(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """What changes for users."""
    return differences(of(before), of(after)) if before != after else ()
