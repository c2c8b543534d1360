"""midair's own clock: the wall clock when it was made, and the time that passed since. It never goes back."""

import time
from collections.abc import Callable

from midair.model.moment import Moment


class Clock:
    """Moments that only grow, also over restarts and when somebody sets the wall clock back.

    `not_before` is the last moment that was stored: the clock begins there when the wall clock is behind it.
    """

    def __init__(
        self,
        not_before: Moment = 0.0,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._begun = monotonic()
        self._first = max(wall(), not_before)

    def __call__(self) -> Moment:
        return self._first + self._monotonic() - self._begun
