"""The demo's story: what is changed, one chapter after the other."""

import time
from collections.abc import Callable

import msgspec

from midair.demo.stage import Stage
from midair.errors import Trouble
from midair.view.ask import AskFlag, FlagAct
from midair.view.change import ChangeView


class Chapter(msgspec.Struct, frozen=True):
    """One change, or something done to midair itself (which has no entry in the history)."""

    title: str
    text: str  # what is done, for people
    play: Callable[[Stage], ChangeView | None]
    ends: str = "completed"  # the phase in which the change has to end


def _first(stage: Stage) -> ChangeView:
    return stage.up()


def _code(stage: Stage) -> ChangeView:
    stage.edit("web", 'VERSION = "v1"', 'VERSION = "v2"')
    stage.scenery.parallelism = 1
    return stage.up()


def _command_and_environment(stage: Stage) -> ChangeView:
    stage.scenery.parallelism = 3
    stage.scenery.button = "green"
    stage.scenery.label = "Press me now"
    return stage.up()


def _more(stage: Stage) -> ChangeView:
    return stage.scale(6)


def _fewer(stage: Stage) -> ChangeView:
    return stage.scale(3)


def _two_services(stage: Stage) -> ChangeView:
    stage.edit("web", 'VERSION = "v2"', 'VERSION = "v3"')
    stage.scenery.currency = "CHF"
    return stage.up()


def _shown_to(percent: float) -> Callable[[Stage], ChangeView]:
    def play(stage: Stage) -> ChangeView:
        everyone = percent in (0, 100)
        act: FlagAct = "share" if not everyone else "on" if percent else "off"
        change = stage.flag(AskFlag(act=act, key="new-button", shares={"on": percent}, create=True, by="demo"))
        share, patience = stage.share(), time.monotonic() + 10
        while abs(share - percent) > (0 if everyone else 6):  # until every replica has heard of it
            if time.monotonic() > patience:
                raise Trouble(f"cannot see the flag at work: {share:.0f} % of users see the button, not {percent:g} %")
            share = stage.share()
        return change

    return play


def _one_at_a_time(stage: Stage) -> ChangeView:
    stage.edit("ledger", 'VERSION = "v1"', 'VERSION = "v2"')
    return stage.up()


def _broken(stage: Stage) -> ChangeView:
    stage.edit("web", "GREETING = ", "GREETING = GREETINGS['en'] or ")
    try:
        return stage.up()
    finally:
        stage.edit("web", "GREETING = GREETINGS['en'] or ", "GREETING = ")


def _undo(stage: Stage) -> ChangeView:
    try:
        return stage.undo()
    finally:
        stage.edit("ledger", 'VERSION = "v2"', 'VERSION = "v1"')  # the file agrees again


def _killed(stage: Stage) -> ChangeView:
    stage.scenery.button = "orange"
    return stage.up(midway=stage.kill_daemon)


def _router(stage: Stage) -> None:
    stage.restart_router()


CHAPTERS = (
    Chapter("first start", "web ×3, api ×2, ledger ×1", _first),
    Chapter("new code", "web/app.py, one replica after the other", _code),
    Chapter("command + environment", "web: another label, another colour", _command_and_environment),
    Chapter("more replicas", "midair scale web=6", _more),
    Chapter("fewer replicas", "midair scale web=3", _fewer),
    Chapter("two services at once", "code of web and environment of api", _two_services),
    Chapter("a button for some", "midair flag set new-button on=10 --create", _shown_to(10)),
    Chapter("the button for half", "midair flag set new-button on=50", _shown_to(50)),
    Chapter("the button for nobody", "midair flag off new-button", _shown_to(0)),
    Chapter("one that can't run twice", "ledger: stopped first, requests wait", _one_at_a_time),
    Chapter("a broken version", "web crashes at its start", _broken, ends="rolled_back"),
    Chapter("undo", "the ledger's old code comes back", _undo),
    Chapter("control plane killed", "kill -9 in the middle of a change", _killed),
    Chapter("router replaced", "midair router restart", _router),
)
