"""One row of the table: a field of a Compose service and its class on each runtime, with the reason in words."""

from typing import Literal

import msgspec

from midair.model.capabilities import RuntimeName
from midair.model.plan import FieldClass

RUNTIMES: tuple[RuntimeName, ...] = ("process", "docker", "swarm", "kubernetes")

# "named": accepted, has no effect on that runtime, and the plan names it. A change of it touches nothing.
RowClass = FieldClass | Literal["named"]

WITHOUT: dict[RuntimeName, str] = {
    "process": "plain processes have nothing like it",
    "docker": "a single engine has nothing like it",
    "swarm": "Swarm has nothing like it",
    "kubernetes": "Kubernetes has nothing like it",
}


NOT_PASSED = "midair does not pass it on yet"  # the engine has it; the runtime does not use it

NOT_YET = "not supported yet"


class Row(msgspec.Struct, frozen=True):
    """What a change of one field, or of anything below it, takes."""

    path: str  # deploy.resources.limits: also stands for what is below it, unless that has a row of its own
    classes: tuple[RowClass, RowClass, RowClass, RowClass]  # in the order of RUNTIMES
    cause: str  # why, for people; does not end with a full stop
    notes: dict[RuntimeName, str] = {}  # a different cause on one runtime
    shown: bool = False  # values are never secret and may stand in a plan
    later: str = ""  # a runtime on which it had no effect at first: what runs since then is not replaced for it

    def on(self, runtime: RuntimeName) -> RowClass:
        """The class of this field on a runtime."""
        return self.classes[RUNTIMES.index(runtime)]

    def why(self, runtime: RuntimeName) -> str:
        """The cause in words on a runtime."""
        if runtime in self.notes:
            return self.notes[runtime]
        return WITHOUT[runtime] if self.on(runtime) == "named" else self.cause


class Group(msgspec.Struct, frozen=True):
    """Rows that belong together: one section of the Compose reference."""

    title: str
    text: str  # a sentence or two under the title
    rows: tuple[Row, ...]


_WORDS: dict[str, RowClass] = {
    "live": "live",
    "reload": "reload",
    "resize": "resize",
    "replace": "replace",
    "recreate": "recreate",
    "refuse": "refuse",
    "named": "named",
}


def row(path: str, classes: str, cause: str, *, shown: bool = False, later: str = "", **notes: str) -> Row:
    """A row from four words, one for each runtime, or one word for all of them."""
    words = classes.split() if " " in classes else [classes] * len(RUNTIMES)
    first, second, third, fourth = (_WORDS[word] for word in words)
    by_runtime = {runtime: notes[runtime] for runtime in RUNTIMES if runtime in notes}
    return Row(path, (first, second, third, fourth), cause, by_runtime, shown, later)
