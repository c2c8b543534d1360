"""Deaths of a project's router. Each becomes one event, also over restarts of the daemon: the history remembers."""

import logging
import time

from midair.model.event import RouterDied
from midair.router.base import RouterDeath, RouterSeen
from midair.store import Store
from midair.view.event import describe

log = logging.getLogger(__name__)
NEWS_S = 86400.0  # what is older was told, and may have been forgotten since
RECENT_S = 600.0  # so long it is shown beside the present state


class Deaths:
    """Made for one project. What it says is to be stored with the next commit.

    Routers know the wall clock only, which may be set back. So it is the one they are compared with.
    """

    def __init__(self, store: Store, project: str) -> None:
        self._store, self._project = store, project
        self._told: RouterDied | None = None
        self._is_read = False

    def news(self, seen: RouterSeen | None) -> tuple[RouterDied, ...]:
        """The deaths that are not in the history yet, oldest first."""
        deaths = [one for one in seen.deaths if _age_s(one) <= NEWS_S] if seen is not None else []
        if not self._untold(deaths):
            return ()
        self._is_read = False  # what was said last may have been stored since
        events = tuple(RouterDied(one.back_at, one.lost, one.took_s, one.refused) for one in self._untold(deaths))
        for event in events:
            log.warning("project %s: %s", self._project, describe(event))
        self._is_read = False  # they will be there
        return events

    def recent(self) -> str:
        """In words, what happened not long ago; "" when nothing did."""
        last = self._last()
        return describe(last) if last is not None and _age_s(last) < RECENT_S else ""

    def _untold(self, deaths: list[RouterDeath]) -> list[RouterDeath]:
        """Those after the one in the history: by place, since a wall clock may go back."""
        last = self._last()
        told = [place for place, one in enumerate(deaths) if last is not None and one.back_at == last.back_at]
        return deaths[told[-1] + 1 :] if told else deaths

    def _last(self) -> RouterDied | None:
        if not self._is_read:
            found = self._store.events.newest_of(self._project, RouterDied)
            self._told = found.event if found is not None and isinstance(found.event, RouterDied) else None
            self._is_read = True
        return self._told


def _age_s(death: RouterDeath | RouterDied) -> float:
    return time.time() - death.back_at
