"""Deaths of a project's router. Each becomes one event, also over restarts of the daemon: the history remembers."""

import logging
import time

from midair.model.event import MachineRestarted, RouterDied
from midair.router.base import RouterDeath, RouterSeen
from midair.store import Store
from midair.view.event import describe

log = logging.getLogger(__name__)
NEWS_S = 86400.0  # what is older was told, and may have been forgotten since
Ended = RouterDied | MachineRestarted
RECENT_S = 600.0  # so long it is shown beside the present state


class Deaths:
    """Made for one project. What it says is to be stored with the next commit.

    Routers know the wall clock only, which may be set back. So it is the one they are compared with.
    """

    def __init__(self, store: Store, project: str) -> None:
        self._store, self._project = store, project
        self._told: Ended | None = None
        self._is_read = False

    def news(self, seen: RouterSeen | None) -> tuple[Ended, ...]:
        """The deaths that are not in the history yet, oldest first."""
        deaths = [one for one in seen.deaths if _age_s(one) <= NEWS_S] if seen is not None else []
        if not self._untold(deaths):
            return ()
        self._is_read = False  # what was said last may have been stored since
        events = tuple(_event(death) for death in self._untold(deaths))
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

    def _last(self) -> Ended | None:
        if not self._is_read:
            records = [self._store.events.newest_of(self._project, kind) for kind in (RouterDied, MachineRestarted)]
            latest = max(
                (record for record in records if record is not None), key=lambda record: record.number, default=None
            )
            event = latest.event if latest is not None else None
            self._told = event if isinstance(event, RouterDied | MachineRestarted) else None
            self._is_read = True
        return self._told


def _event(death: RouterDeath) -> Ended:
    if death.rebooted:
        return MachineRestarted(death.back_at, death.lost)
    return RouterDied(death.back_at, death.lost, death.took_s, death.refused)


def _age_s(death: RouterDeath | Ended) -> float:
    return time.time() - death.back_at
