"""What becomes of files that outlive a release: which are linked, which are moved, and which a change would lose."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from midair.model.plan import Confirmation, Plan, Written
from midair.model.project import BESIDE, Applied, Link, Revision, Service
from midair.plan.fields import fields_of
from midair.plan.revision import lasting, revision_of

_EARLIER = 5  # releases that may hold files which are shared now
_SHOWN = 6
_DATABASES = (".sqlite", ".sqlite3", ".db", ".db3")


def kept_revision(made: Revision, kept: Revision | None, partners: Mapping[str, str], left: str | None) -> Revision:
    """The revision to be: the one that is there when nothing that makes a replica differs.

    Before links, volumes were no part of a plain process's revision. Such a revision goes on as it is, without them.
    """
    if kept is None:
        return replace(made, earlier=(left,)) if left and made.service.links else made
    if kept.id == made.id:
        return replace(made, shell=kept.shell, earlier=kept.earlier)
    service, former = made.service, kept.service
    if not service.can.mounts and former.fields.get("volumes") == service.fields.get("volumes"):
        as_it_runs = replace(service, links=former.links, shared_place=former.shared_place)
        if revision_of(as_it_runs, made.release, restarts_with=partners).id == kept.id:
            return replace(made, id=kept.id, service=as_it_runs, shell=kept.shell, earlier=kept.earlier)
    if _same_but_later(made, kept, partners):
        return replace(made, id=kept.id, shell=kept.shell, earlier=kept.earlier)
    if not service.links:
        return made
    earlier = (*((kept.release,) if kept.release else ()), *kept.earlier)
    return replace(made, earlier=tuple(dict.fromkeys(earlier))[:_EARLIER])


def _same_but_later(made: Revision, kept: Revision, partners: Mapping[str, str]) -> bool:
    """Whether the revision in force was made when fields had no effect that are the same in it now."""
    service, runtime = made.service, made.service.runtime
    at_first = revision_of(service, made.release, restarts_with=partners, at_first=True)
    return at_first.id == kept.id and lasting(fields_of(service), runtime) == lasting(fields_of(kept.service), runtime)


def moving(before: Applied | None, after: Applied) -> Applied:
    """The same state, in which the services say whether this change moves files of theirs."""
    old = before.revisions if before is not None else {}
    services = {
        name: replace(service, moves=name in old and _moves(old[name], after.revisions[name]))
        for name, service in after.project.services.items()
    }
    if services == after.project.services:
        return after
    return replace(after, project=replace(after.project, services=services))


def _moves(before: Revision, after: Revision) -> bool:
    linked = {link.path for link in before.service.links}
    new = [link for link in after.service.links if link.is_kept and link.path not in linked]
    return bool(new) and before.release is not None and before.id != after.id and before.release in after.earlier


def with_written(plan: Plan, before: Applied | None, after: Applied, written: Mapping[str, Written]) -> Plan:
    """The plan that also asks about files which the next release would not have. `written`: by release."""
    asked: dict[tuple[str, frozenset[str]], list[str]] = {}
    for name, release in releases_left(before, after).items():
        here = written.get(release, Written())
        lost = _lost(here.files, before.revisions[name].service if before else None, after.project.services[name])
        if lost or not here.is_whole:
            asked.setdefault((release, lost), []).append(name)
    asks = [
        _ask({path: count for path, count in written[release].files.items() if path in lost}, names)
        for (release, lost), names in asked.items()
    ]
    return replace(plan, confirmations=(*plan.confirmations, *asks, *_unlinked(before, after)))


def _unlinked(before: Applied | None, after: Applied) -> Iterator[Confirmation]:
    """Paths that were shared and are not any more, where the next release has no link from earlier times."""
    earlier = before.revisions if before is not None else {}
    for name in releases_left(before, after):
        old, new = earlier[name], after.revisions[name]
        linked = {link.path.rstrip("/") for link in new.service.links}
        gone = [link.path for link in old.service.links if link.is_kept and link.path.rstrip("/") not in linked]
        if gone and new.release not in old.earlier:
            text = f"no longer shares {', '.join(gone)}: the new release has nothing of what is there"
            yield Confirmation("data", name, text)


def releases_left(before: Applied | None, after: Applied) -> dict[str, str]:
    """The releases that services leave for others, by service."""
    old = before.revisions if before is not None else {}
    return {
        name: revision.release
        for name, revision in old.items()
        if name in after.revisions and revision.release not in (None, after.revisions[name].release)
    }


def _lost(paths: Iterable[str], before: Service | None, after: Service) -> frozenset[str]:
    """Of the written paths, those that are neither shared from now on nor part of a database that is."""
    was_linked = {link.path.rstrip("/") for link in before.links} if before is not None else set()
    kept = [link.path.rstrip("/") for link in after.links if link.is_kept]
    moved = [path for path in kept if path not in was_linked]  # what was linked and is a file now has lost its link
    return frozenset(path for path in paths if not any(_belongs(path, to) for to in moved))


def _belongs(path: str, to: str) -> bool:
    return path.rstrip("/") == to or path.startswith(f"{to}/") or path in [to + end for end in BESIDE]


def _ask(files: Mapping[str, int], names: list[str]) -> Confirmation:
    if not files:
        text = "its release has too many files to look for what was written there, and the new one has nothing of it"
        return Confirmation("data", names[0], text)
    shown = [f"{path} ({count} files)" if count > 1 else path for path, count in list(files.items())[:_SHOWN]]
    shown += [f"{len(files) - _SHOWN} more"] if len(files) > _SHOWN else []
    also = f", as did {', '.join(names[1:])}" if names[1:] else ""
    return Confirmation(
        "data",
        names[0],
        f"wrote into its release{also}: {', '.join(shown)}; the new release does not have that; "
        f"keep it with `x-midair: {{shared: [{', '.join(list(files)[:_SHOWN])}]}}` or a volume",
    )


def described(links: Iterable[Link]) -> str:
    """Where links lead, for people."""
    shared = [link.path for link in links if link.is_kept and not link.volume]
    others = [f"{link.path} → {link.source or f'volume {link.volume}'}" for link in links if link.source or link.volume]
    return "; ".join((*([f"{', '.join(shared)} (shared)"] if shared else []), *others))


def databases(links: Iterable[Link]) -> list[str]:
    """Linked files that are SQLite's by their names."""
    return [link.path for link in links if link.path.endswith(_DATABASES)]
