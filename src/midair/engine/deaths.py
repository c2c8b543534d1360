"""Deaths of a project's router. Each becomes one event, also over restarts of the daemon: the history remembers."""

import logging

from midair.model.event import RouterDied
from midair.model.moment import Moment
from midair.router.base import RouterSeen
from midair.store import Store
from midair.view.event import describe

log = logging.getLogger(__name__)
NEWS_S = 86400.0  # what is older was told, and may have been forgotten since
RECENT_S = 600.0  # so long it is shown beside the present state


class Deaths:
    """Made for one project. What it says is to be stored with the next commit."""

    def __init__(self, store: Store, project: str) -> None:
        self._store, self._project = store, project
        self._told: RouterDied | None = None
        self._is_read = False

    def news(self, seen: RouterSeen | None, now: Moment) -> RouterDied | None:
        """A death that is not in the history yet."""
        death = seen.death if seen is not None else None
        if death is None or self._is_told(death.back_at) or now - death.back_at > NEWS_S:
            return None
        self._is_read = False
        if self._is_told(death.back_at):
            return None
        event = RouterDied(death.back_at, death.lost, death.took_s, death.refused)
        self._is_read = False  # it will be there
        log.warning("project %s: %s", self._project, describe(event))
        return event

    def recent(self, now: Moment) -> str:
        """In words, what happened not long ago; "" when nothing did."""
        last = self._last()
        return describe(last) if last is not None and now - last.back_at < RECENT_S else ""

    def _is_told(self, back_at: float) -> bool:
        last = self._last()
        return last is not None and last.back_at == back_at

    def _last(self) -> RouterDied | None:
        if not self._is_read:
            found = self._store.events.newest_of(self._project, RouterDied)
            self._told = found.event if found is not None and isinstance(found.event, RouterDied) else None
            self._is_read = True
        return self._told
