"""What the last plans found in build folders and registries: a plan that is confirmed is applied with exactly that."""

from midair.model.project import Applied

_MOST = 64  # plans; of one that was forgotten the folders are read again

Releases = dict[str, str | None]  # by service


class Planned:
    """The releases of the last plans, by project and digest of the plan. A project need not be on record yet."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Releases] = {}

    def keep(self, project: str, digest: str, after: Applied) -> None:
        """Remember what a plan leads to, in place of the oldest."""
        self._known.pop((project, digest), None)
        self._known[project, digest] = {name: revision.release for name, revision in after.revisions.items()}
        while len(self._known) > _MOST:
            self._known.pop(next(iter(self._known)))

    def of(self, project: str, digest: str) -> Releases | None:
        """The releases of a plan; None when it is not known any more."""
        return self._known.get((project, digest))
