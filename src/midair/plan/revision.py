"""The content address of everything that makes a replica. What can be changed without a new replica is not in it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from midair.model.capabilities import RuntimeName
from midair.model.ids import RevisionId
from midair.model.project import Revision, Service
from midair.plan.fields import Fields, Path, fields_of
from midair.plan.table import row_of

MAKES_A_REVISION = ("replace", "recreate")
_DIGITS = 8


def revision_of(
    service: Service,
    release: str | None,
    runtime: RuntimeName | None = None,
    *,
    shell: Mapping[str, str] | None = None,
    restarts_with: Mapping[str, str] | None = None,
    at_first: bool = False,
) -> Revision:
    """The revision that a service is with this code.

    Its id depends on exactly the fields whose class on the runtime is replace or recreate, and on the release;
    live changes keep it. `shell` goes along without being part of it. `restarts_with` is the revision of each
    service this one is restarted with (`depends_on`, `restart: true`). `at_first`: without the fields that had no
    effect in the first midair.
    """
    where, fields = runtime or service.runtime, fields_of(service)
    linked = {path: fields[path] for path in fields if is_linked(path, service)}
    content = {
        "runtime": where,
        "release": release,
        "restarts_with": dict(restarts_with or {}),
        "fields": in_order(lasting(fields, where, at_first=at_first) | linked),
    }
    return Revision(RevisionId(digest_of(content)[:_DIGITS]), service, release, dict(shell or {}))


def lasting(fields: Fields, runtime: RuntimeName, *, at_first: bool = False) -> Fields:
    """The fields that are fixed for the life of a replica. `at_first`: without those that had no effect at first."""
    return {
        path: value
        for path, value in fields.items()
        if (found := row_of(path)).on(runtime) in MAKES_A_REVISION and not (at_first and found.later == runtime)
    }


def is_linked(path: Path, service: Service) -> bool:
    """True for a volume that is a link in the release of a plain process, fixed for the life of a replica."""
    return path[0] == "volumes" and any(link.target and link.target == path[1] for link in service.links)


def limits_of(service: Service) -> str:
    """Digest of what can be changed in place on the service's runtime; "" when there is nothing of the kind."""
    found = {path: value for path, value in fields_of(service).items() if row_of(path).on(service.runtime) == "resize"}
    return digest_of(in_order(found))[:_DIGITS] if found else ""


def digest_of(content: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def in_order(fields: Fields) -> list[tuple[Any, ...]]:
    """Fields as a sorted list, since JSON has no mapping with paths as keys."""
    return [(path, fields[path]) for path in sorted(fields)]
