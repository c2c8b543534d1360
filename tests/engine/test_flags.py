"""Flags as part of a project: the same change and undo as code, recorded, in force at once, ramps that go on."""

import asyncio

import pytest
from msgspec.structs import replace

from midair.errors import Conflict, FileRefused, NotFound, NothingToDo
from midair.testing.runtime import Behaviour
from midair.view.ask import AskFlag, AskPlan

from .conftest import shop, web

BUTTON = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}


def run(story):
    return asyncio.run(story)


def with_flags(project, **flags):
    return replace(project, flags={"flags": flags, "x-midair": {"fractional": "v3"}})


def told(site):
    """What each flag comes to."""
    return {flag.key: flag.told for flag in site.engine.flags.show("shop").flags}


def ask(act, key="new-button", **more):
    return AskFlag(act=act, key=key, by="jane", **more)


@pytest.fixture
def heard(site):
    """The documents that were put into force, in order."""
    found = []
    begin = site.begin

    async def listening(*args, **kwargs):
        engine = await begin(*args, **kwargs)
        tell = engine.flags._tell
        engine.flags._tell = lambda project, document: (found.append(document), tell(project, document))
        return engine

    site.begin = listening
    return found


def test_flags_come_and_go_back_with_code(site, heard):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        on = {**BUTTON, "defaultVariant": "on"}
        plan = await site.engine.plan(AskPlan(with_flags(shop(web("blue")), **{"new-button": on})))
        assert plan.flags == ("new-button off for everyone → on for everyone",)
        await site.ended(await site.up(with_flags(shop(web("blue")), **{"new-button": on})))
        assert told(site) == {"new-button": "on for everyone"}
        await site.ended(await site.undo())
        assert told(site) == {"new-button": "off for everyone"}
        assert [document["flags"]["new-button"]["defaultVariant"] for document in heard] == ["off", "on", "off"]
        await site.end()

    run(story())


def test_flags_of_a_release_that_fails_never_come_into_force(site, heard):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        broken = with_flags(shop(web("broken")), **{"new-button": {**BUTTON, "defaultVariant": "on"}})
        plan = await site.engine.plan(AskPlan(broken))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(exits_after_s=0.01)
        assert (await site.ended(await site.up(broken))).phase == "rolled_back"
        assert told(site) == {"new-button": "off for everyone"}
        assert len(heard) == 1
        await site.end()

    run(story())


def test_a_change_of_flags_alone_is_recorded_and_undone(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        change = site.engine.flags.change("shop", ask("on", why="launch"))
        assert (change.kind, change.phase, change.by, change.why) == ("flag", "completed", "jane", "launch")
        assert told(site) == {"new-button": "on for everyone"}
        (entry,) = site.engine.flags.history("shop")
        assert (entry.by, entry.why, entry.lines) == ("jane", "launch", ("new-button added: on for everyone",))
        await site.ended(await site.undo())
        assert told(site) == {}
        await site.end()

    run(story())


def test_flag_undo_goes_back_further_each_time_and_touches_nothing_else(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        for percent in (1, 2, 3):
            asked = ask("share", shares={"on": percent}) if percent > 1 else ask("on")
            site.engine.flags.change("shop", asked)
        await site.ended(await site.up(shop(web("blue"))))
        living = site.living()
        site.engine.flags.undo("shop", "jane", "")
        assert told(site) == {"new-button": "on 2 %, off 98 %"}
        site.engine.flags.undo("shop", "jane", "")
        assert told(site) == {"new-button": "on for everyone"}
        assert site.living() == living
        site.engine.flags.undo("shop", "jane", "")
        assert told(site) == {}
        with pytest.raises(Conflict, match="no change of flags is left"):
            site.engine.flags.undo("shop", "jane", "")
        await site.end()

    run(story())


def test_a_command_outlives_the_next_up_unless_the_file_says_something_new(site):
    async def story():
        await site.begin()
        file = with_flags(shop(), **{"new-button": BUTTON})
        await site.ended(await site.up(file))
        site.engine.flags.change("shop", ask("on"))
        plan = await site.engine.plan(AskPlan(file))
        assert plan.is_empty
        assert plan.drift == ("flag new-button: on for everyone, set by flag (the file says off for everyone)",)
        half = {**BUTTON, "targeting": {"fractional": [["on", 50], ["off", 50]]}}
        await site.ended(await site.up(with_flags(shop(), **{"new-button": half})))
        assert told(site) == {"new-button": "on 50 %, off 50 %"}
        await site.end()

    run(story())


def test_a_flag_killed_during_a_rollout_stays_killed_when_the_rollout_goes_back(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": {**BUTTON, "defaultVariant": "on"}})))
        broken = with_flags(shop(web("broken")), **{"new-button": {**BUTTON, "defaultVariant": "on"}})
        plan = await site.engine.plan(AskPlan(broken))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(ready_after_s=5, exits_after_s=0.3)
        rolling = await site.up(broken)
        change = site.engine.flags.change("shop", ask("kill"))
        assert change.phase == "completed"
        assert told(site) == {"new-button": "disabled"}, "at once, whatever the rollout does"
        assert (await site.ended(rolling)).phase == "rolled_back", "the rollout was not disturbed"
        assert told(site) == {"new-button": "disabled"}
        await site.end()

    run(story())


def test_a_flag_changed_during_a_rollout_holds_when_it_completes_after_a_restart(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        plan = await site.engine.plan(AskPlan(with_flags(shop(web("blue")), **{"new-button": BUTTON})))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(ready_after_s=0.5)
        rolling = await site.up(with_flags(shop(web("blue")), **{"new-button": BUTTON}))
        site.engine.flags.change("shop", ask("on"))
        await site.end()
        await site.begin()
        assert site.engine.keeper("shop").state.under_way.id == rolling.id
        assert (await site.ended(rolling)).phase == "completed"
        assert told(site) == {"new-button": "on for everyone"}
        undone = await site.undo()
        assert undone.undoes == rolling.id + 1, "the newest one: the flag"
        living = site.living()
        await site.ended(undone)
        assert told(site) == {"new-button": "off for everyone"}
        assert site.living() == living, "code stays as it is"
        await site.end()

    run(story())


def test_a_ramp_goes_on_by_itself_and_also_after_a_restart(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        roll = ask("roll", steps=(1.0, 50.0), every_s=0.2, create=True)
        site.engine.flags.change("shop", roll)
        assert told(site)["new-button"].startswith("on 1 %")
        await site.until(lambda: told(site)["new-button"].startswith("on 50 %"))
        await site.end()
        await site.begin()
        await site.until(lambda: told(site) == {"new-button": "on for everyone"})
        steps = [entry for entry in site.engine.flags.history("shop") if entry.by == "midair"]
        assert [entry.why for entry in steps] == ["ramp: new-button 50 → 100 %", "ramp: new-button 1 → 50 %"]
        await site.end()

    run(story())


def test_a_ramp_that_comes_back_with_an_undo_is_paused(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.engine.flags.change("shop", ask("roll", steps=(5.0,), every_s=0.05, create=True))
        await site.until(lambda: told(site) == {"new-button": "on for everyone"})
        await site.until(lambda: site.engine.keeper("shop").state.under_way is None)
        await site.ended(await site.undo())
        assert told(site) == {"new-button": "on 5 %, off 95 %, ramp to 100 % (paused)"}
        await site.end()

    run(story())


def test_what_makes_no_sense_is_refused_and_changes_nothing(site):
    async def story():
        await site.begin()
        with pytest.raises(NotFound):
            site.engine.flags.change("shop", ask("on"))
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        with pytest.raises(NotFound):
            site.engine.flags.change("shop", ask("kill", key="nope"))
        with pytest.raises(NothingToDo, match="like that already"):
            site.engine.flags.change("shop", ask("off"))
        with pytest.raises(FileRefused, match="has an unknown operator"):
            site.engine.flags.change("shop", ask("define", definition={**BUTTON, "targeting": {"iff": 1}}))
        with pytest.raises(FileRefused, match="is missing"):
            await site.engine.plan(AskPlan(replace(shop(), flags={"x": 1})))
        assert told(site) == {"new-button": "off for everyone"}
        assert len(site.engine.flags.history("shop")) == 1
        await site.end()

    run(story())


def test_flags_push_no_code_out_of_undo(site):
    async def story():
        await site.begin()
        for colour in ("red", "blue"):
            await site.ended(await site.up(with_flags(shop(web(colour, replicas=1)), **{"new-button": BUTTON})))
        for number in range(32):
            site.engine.flags.change("shop", ask("off" if number % 2 else "on"))
        await site.ended(await site.up(with_flags(shop(web("green", replicas=1)), **{"new-button": BUTTON})))
        await site.until(lambda: len(site.engine.store.changes.all("shop")) == 32)
        undone = await site.ended(await site.undo(2))
        assert undone.after.project.services["web"].environment == {"COLOUR": "red"}
        await site.end()

    run(story())


@pytest.mark.parametrize(
    "asked",
    [ask("set", "new-buton", variant="on"), ask("share", "new-buton", shares={"on": 5}), ask("roll", "new-buton")],
    ids=["set", "share", "roll"],
)
def test_unknown_flag_is_created_only_when_asked(site, asked):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        with pytest.raises(NotFound) as refused:
            site.engine.flags.change("shop", asked)
        assert refused.value.hint == 'use "new-button", or add --create to create it'
        assert list(told(site)) == ["new-button"]
        site.engine.flags.change("shop", replace(asked, create=True))
        assert list(told(site)) == ["new-button", "new-buton"]
        await site.end()

    run(story())


def test_unknown_flags_have_no_history_and_no_undo(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        for ask in (lambda: site.engine.flags.history("shop", "new-buton"), lambda: undo(site, "new-buton")):
            with pytest.raises(NotFound, match='cannot find flag "new-buton"') as refused:
                ask()
            assert refused.value.hint == 'use "new-button"'
        await site.end()

    asyncio.run(story())


def undo(site, key):
    return site.engine.flags.undo("shop", "ann", "", key)
