"""A seam for tests: the daemon kills itself at a chosen step, so that recovery is tried at every one of them.

`MIDAIR_DIE_AT=commit:17` is SIGKILL right after the 17th commit of this process; `before-commit:17`, `action:5` and
`before-action:5` likewise. Without the variable nothing here does anything.
"""

import os
import signal
from collections import Counter

VARIABLE = "MIDAIR_DIE_AT"


class Fatal:
    """Counts what happens, and ends the process at the one step it was told."""

    def __init__(self, where: str | None) -> None:
        step, _, number = (where or "").partition(":")
        self._step, self._number = step, int(number) if number else 0
        self.counts: Counter[str] = Counter()

    def __call__(self, step: str) -> None:
        self.counts[step] += 1
        if step == self._step and self.counts[step] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)
