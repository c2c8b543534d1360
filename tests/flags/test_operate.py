"""What people do to flags: switching, shares, ramps, schedules, the three-way merge, and what is found lacking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.errors import Conflict, FileRefused, NotFound, UsageRefused
from midair.flags import lint, merge, moves, operate, ramp
from midair.flags.definition import FlagSet
from midair.flags.engine import Table
from midair.flags.plain import lines
from midair.flags.read import build

KEY = "new-button"
USERS = [f"user-{number}" for number in range(1000)]
RULE = {"if": [{"==": [{"var": "country"}, "DE"]}, "on", "off"]}


def with_flag(targeting=None, **extra):
    flag = {**operate.SIMPLE, **({"targeting": targeting} if targeting else {})}
    return build({"flags": {KEY: flag}, "x-midair": {"fractional": "v3", "flags": {KEY: extra}}})


def who(flags, now=0, key=KEY):
    """The users who get it."""
    table = Table(lines(flags), version=flags.fractional, clock=lambda: int(now))
    return {user for user in USERS if table.resolve(key, {"targetingKey": user}).value is True}


def test_on_is_for_everyone_and_off_for_nobody_and_kill_leaves_it_to_the_code():
    flags = operate.on(FlagSet(), KEY)
    assert len(who(flags)) == 1000
    assert flags.fractional == "v3", "a new set goes by the newest generation"
    assert not who(operate.off(flags, KEY))
    killed = operate.kill(with_flag(RULE), KEY)
    table = Table(lines(killed), clock=lambda: 0)
    assert table.resolve(KEY).reason == "DISABLED"
    assert killed.flags[KEY]["targeting"] == RULE


def test_a_share_puts_what_grows_first_and_gives_the_rest_to_off():
    flags = operate.share(with_flag(), KEY, {"on": 10})
    assert flags.flags[KEY]["targeting"] == {"fractional": [["on", 10], ["off", 90]]}
    assert operate.share(with_flag(), KEY, {"on": 0.5}).flags[KEY]["targeting"] == {
        "fractional": [["on", 5], ["off", 995]]
    }
    own = {"fractional": [{"var": "email"}, ["on", 1], ["off", 99]]}
    assert operate.share(with_flag(own), KEY, {"on": 2}).flags[KEY]["targeting"]["fractional"][0] == {"var": "email"}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"on": 101}, "0 to 100 percent"),
        ({"on": 60, "off": 60}, "add up to 120 percent"),
        ({"on": 60, "off": 30}, "add up to 90 percent"),
        ({"maybe": 1}, "no such variant"),
        ({"on": 0.00001}, "three decimals"),
    ],
)
def test_a_share_that_makes_no_sense_is_refused(shares, message):
    with pytest.raises(UsageRefused, match=message):
        operate.share(with_flag(), KEY, shares)


def test_an_unknown_flag_is_not_found_with_a_hint():
    with pytest.raises(NotFound) as refused:
        operate.kill(with_flag(), "new-buton")
    assert refused.value.hint == 'use "new-button"'


def test_a_flag_that_others_require_cannot_be_removed():
    flags = build(
        {
            "flags": {"a": operate.SIMPLE, "b": operate.SIMPLE},
            "x-midair": {"flags": {"b": {"requires": {"a": "on"}}}},
        }
    )
    with pytest.raises(FileRefused, match=r"x-midair.flags.b.requires.a: is not a flag of this set"):
        operate.remove(flags, "a")


def test_a_ramp_only_ever_adds_users_and_ends_with_everyone():
    flags = ramp.begin(with_flag(), KEY, 0, steps=(1, 5, 10, 25, 50), every_s=600)
    seen, now = who(flags), 0
    sizes = [len(seen)]
    while (due := ramp.due_at(flags)) is not None:
        assert ramp.advance_all(flags, due - 1) == (flags, ())
        now = due
        flags, done = ramp.advance_all(flags, now)
        assert len(done) == 1
        assert seen <= who(flags)
        seen = who(flags)
        sizes.append(len(seen))
    assert [abs(size - percent * 10) < 40 for size, percent in zip(sizes, (1, 5, 10, 25, 50, 100), strict=True)]
    assert now == 3000
    assert sizes[-1] == 1000
    assert ramp.ramp_of(flags, KEY) is None
    assert "targeting" not in flags.flags[KEY]


def test_a_pause_keeps_the_same_users_and_the_time_left():
    flags = ramp.begin(with_flag(), KEY, 0, steps=(10, 50), every_s=600)
    before = who(flags)
    flags = ramp.pause(flags, KEY, 400)
    assert ramp.due_at(flags) is None
    assert ramp.advance_all(flags, 10_000) == (flags, ())
    flags = ramp.resume(flags, KEY, 10_000)
    assert who(flags) == before
    assert ramp.due_at(flags) == 10_200
    assert before <= who(ramp.advance_all(flags, 10_200)[0])


def test_abort_brings_the_flag_back_as_it_was():
    before = with_flag(owner="web")
    flags, _ = ramp.advance_all(ramp.begin(before, KEY, 0, steps=(10, 50), every_s=600), 600)
    assert ramp.abort(flags, KEY) == before
    with pytest.raises(Conflict, match="not being rolled"):
        ramp.abort(before, KEY)


def test_a_guard_holds_a_ramp_or_sends_it_back():
    before = with_flag(owner="web")
    flags = ramp.begin(before, KEY, 0, steps=(10, 50), every_s=600)
    assert ramp.advance_all(flags, 600, lambda key, state, now: "hold") == (flags, ())
    back, done = ramp.advance_all(flags, 30, lambda key, state, now: "back")
    assert back == before
    assert done == ("new-button back from 10 %: its guard said so",)


def test_a_late_daemon_does_not_skip_steps():
    flags = ramp.begin(with_flag(), KEY, 0, steps=(1, 5, 10), every_s=600)
    flags, _ = ramp.advance_all(flags, 1_000_000)
    assert ramp.ramp_of(flags, KEY).percent == 5
    assert ramp.due_at(flags) == 1_000_600


def test_a_ramp_starts_above_the_share_that_is_there():
    flags = ramp.begin(operate.share(with_flag(), KEY, {"on": 20}), KEY, 0, steps=(1, 5, 10, 25, 50))
    assert ramp.ramp_of(flags, KEY).steps == (25, 50, 100)


def test_a_ramp_whose_steps_are_all_over_does_not_jump_to_its_end():
    with pytest.raises(UsageRefused, match="20 percent have it already, which no step before 100 is above") as refused:
        ramp.begin(operate.share(with_flag(), KEY, {"on": 20}), KEY, 0, steps=(1, 2))
    assert refused.value.hint.startswith("give steps above 20")
    at_once = ramp.begin(operate.share(with_flag(), KEY, {"on": 20}), KEY, 0)
    assert ramp.ramp_of(at_once, KEY) is None, "it was asked for without steps"


def test_a_ramp_does_not_take_the_place_of_a_rule_unasked():
    with pytest.raises(Conflict, match="a rule of its own"):
        ramp.begin(with_flag(RULE), KEY, 0)
    assert who(ramp.begin(with_flag(RULE), KEY, 0, steps=(50,), replace=True))


@pytest.mark.parametrize("steps", [(5, 1), (5, 5), (0, 5), (-1,)])
def test_steps_that_do_not_grow_are_refused(steps):
    with pytest.raises(UsageRefused, match="steps should grow"):
        ramp.begin(with_flag(), KEY, 0, steps=steps)


def test_switching_ends_a_ramp():
    flags = operate.off(ramp.begin(with_flag(), KEY, 0, steps=(1, 5)), KEY)
    assert ramp.ramp_of(flags, KEY) is None
    assert ramp.due_at(flags) is None


def test_a_schedule_is_kept_in_order_and_a_step_at_the_same_time_replaced():
    flags = operate.schedule(with_flag(), KEY, {"at": "2027-02-01", "variant": "off"})
    flags = operate.schedule(flags, KEY, {"at": "2027-01-01", "share": {"on": 5, "off": 95}})
    flags = operate.schedule(flags, KEY, {"at": "2027-02-01", "variant": "on"})
    assert [step["at"] for step in flags.extra(KEY)["schedule"]] == ["2027-01-01", "2027-02-01"]
    assert len(who(flags, 1_801_440_000)) == 1000
    assert not operate.unschedule(flags, KEY).extra(KEY)


def test_the_file_wins_where_it_changed_and_commands_keep_what_only_they_changed():
    last = build({"flags": {key: operate.SIMPLE for key in ("a", "b", "c", "gone")}})
    live = operate.on(operate.on(operate.create(last, "made"), "a"), "b")
    document = {"flags": {key: operate.SIMPLE for key in ("a", "b", "c")}}
    document["flags"]["b"] = {**operate.SIMPLE, "targeting": RULE}
    merged = merge.merge(last, build(document), live)
    assert merged.flags.flags["a"]["defaultVariant"] == "on", "only a command changed it"
    assert merged.flags.flags["b"]["targeting"] == RULE, "the file changed as well, and wins"
    assert "made" in merged.flags.flags
    assert "gone" not in merged.flags.flags
    assert merged.drift == (
        "flag a: on for everyone, set by flag (the file says off for everyone)",
        "flag made: off for everyone, set by flag (the file says nothing)",
    )
    assert merge.merge(last, build(document), last) == merge.Merged(build(document))


FLAGS = st.dictionaries(
    st.sampled_from("abc"),
    st.sampled_from([operate.SIMPLE, {**operate.SIMPLE, "state": "DISABLED"}, {**operate.SIMPLE, "targeting": RULE}]),
).map(lambda flags: build({"flags": flags}))


@given(FLAGS, FLAGS, FLAGS)
def test_a_merge_follows_whoever_changed_something(last, file, live):
    merged = merge.merge(last, file, live).flags
    for key in "abc":
        expected = file if file.flags.get(key) != last.flags.get(key) else live
        assert merged.flags.get(key) == expected.flags.get(key)


def test_differences_are_told_in_words():
    before = with_flag()
    after = ramp.begin(before, KEY, 0, steps=(10,), every_s=60)
    assert merge.differences(before, after) == ("new-button off for everyone → on 10 %, off 90 %, ramp to 100 %",)
    assert merge.differences(after, operate.kill(after, KEY)) == (
        "new-button on 10 %, off 90 %, ramp to 100 % → disabled",
    )
    assert merge.differences(before, before) == ()
    assert merge.differences(before, operate.remove(before, KEY)) == ("new-button removed",)


def test_a_switch_of_bucketing_says_first_who_moves():
    flags = operate.share(with_flag(), KEY, {"on": 10})
    back = operate.switch_bucketing(flags, "v2")
    found = moves.moves(flags, back, [{"targetingKey": user} for user in USERS], 0)
    assert found.known == 1000
    assert found.moved == found.by_flag[KEY] == len(who(flags) ^ who(back))
    assert 100 < found.moved < 260
    assert moves.moves(flags, flags, moves.sample(10), 0) == moves.Moves(10, 0, {})


def test_lint_finds_what_is_unwise():
    flags = build(
        {
            "flags": {
                "a": {**operate.SIMPLE, "targeting": {"fractional": [["off", 90], ["on", 5], ["maybe", 5]]},
                      "variants": {"on": True, "off": False, "maybe": False}},
                "b": {**operate.SIMPLE, "metadata": {"owner": "web"}, "targeting": {"fractional": [["off", 1]]}},
                "c": operate.SIMPLE,
            },
            "x-midair": {
                "flags": {
                    "b": {"expires": "2030-01-01"},
                    "c": {"owner": "x", "description": "y", "schedule": [{"at": "2020-01-01", "variant": "on"}]},
                }
            },
        }
    )  # fmt: skip
    found = [(finding.flag, finding.kind) for finding in lint.lint(flags, 1_790_000_000)]
    assert found == [
        ("", "bucketing-unnamed"),
        ("a", "no-owner"),
        ("a", "no-end"),
        ("a", "order"),
        ("b", "unused-variant"),
        ("c", "schedule-over"),
    ]


def test_flags_that_outlived_their_use_are_found():
    now, day = 1_790_000_000, 86_400
    flags = build(
        {
            "flags": {key: operate.SIMPLE for key in ("expired", "unseen", "same", "fresh")},
            "x-midair": {"flags": {"expired": {"expires": "2026-01-01"}}},
        }
    )
    flags = operate.share(flags, "unseen", {"on": 50})
    seen = {"unseen": now - 40 * day, "fresh": now}
    changed = {key: now - 40 * day for key in flags.flags if key != "fresh"}
    found = [(finding.flag, finding.kind, finding.message) for finding in lint.stale(flags, seen, changed, now)]
    assert found == [
        ("expired", "expired", "expired 2026-01-01"),
        ("expired", "one-sided", "gives off to everyone since 40 days"),
        ("unseen", "unseen", "was not evaluated for 40 days"),
        ("same", "one-sided", "gives off to everyone since 40 days"),
    ]
