"""What is wrong with `x-midair` in a set of flags: its words, and what it says about flags."""

import difflib
from datetime import UTC, datetime
from typing import Any

from midair.errors import Problem
from midair.flags.check_targeting import Targeting
from midair.flags.fractional import VERSIONS

WORDS = ("fractional", "segments", "flags")
FLAG_WORDS = ("owner", "description", "expires", "requires", "segments", "otherwise", "schedule", "ramp")
STEP_WORDS = ("at", "variant", "share", "targeting")


def moment(text: Any) -> float | None:
    """Seconds since 1970 of an ISO date or time; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class Extension:
    def __init__(self, problems: list[Problem], flags: dict[str, Any], named: set[str]) -> None:
        self.problems = problems
        self.flags = flags
        self.named = named

    def say(self, path: str, message: str) -> None:
        self.problems.append(Problem(path=path, message=message))

    def words(self, data: Any, known: tuple[str, ...], path: str) -> bool:
        if not isinstance(data, dict):
            self.say(path, "should be an object")
            return False
        for name in data:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                self.say(f"{path}.{name}", f"is not known{f'; did you mean {close[0]!r}?' if close else ''}")
        return True

    def all(self, extension: dict[str, Any]) -> None:
        self.words(extension, WORDS, "x-midair")
        version = extension.get("fractional")
        if version is not None and version not in VERSIONS:
            self.say("x-midair.fractional", f'should be v2 or v3, got "{version}"')
        segments = extension.get("segments") or {}
        if self.words(segments, tuple(segments) if isinstance(segments, dict) else (), "x-midair.segments"):
            for name, rule in segments.items():
                if not isinstance(rule, dict) or not rule:
                    self.say(f"x-midair.segments.{name}", "should be a condition in JsonLogic")
                else:
                    Targeting(self.problems, self.named, None).rule(rule, f"x-midair.segments.{name}")
        extras = extension.get("flags") or {}
        if not isinstance(extras, dict):
            self.say("x-midair.flags", "should be an object")
            return
        for key, extra in extras.items():
            path = f"x-midair.flags.{key}"
            if key not in self.flags:
                close = difflib.get_close_matches(str(key), list(self.flags), n=1)
                self.say(path, "is about a flag that is not here" + (f'; did you mean "{close[0]}"?' if close else ""))
            elif self.words(extra, FLAG_WORDS, path):
                self.flag(key, extra, path, segments if isinstance(segments, dict) else {})

    def flag(self, key: str, extra: dict[str, Any], path: str, segments: dict[str, Any]) -> None:
        for name in ("owner", "description"):
            if not isinstance(extra.get(name, ""), str):
                self.say(f"{path}.{name}", "should be a text")
        if "expires" in extra and moment(extra["expires"]) is None:
            self.say(f"{path}.expires", f'should be a date such as 2027-01-31, got "{extra["expires"]}"')
        chosen = extra.get("segments", [])
        for chosen_name in chosen if isinstance(chosen, list) else [None]:
            if chosen_name not in segments:
                self.say(f"{path}.segments", f'should list segments of x-midair.segments, got "{chosen_name}"')
        if "otherwise" in extra:
            self.variant(key, extra["otherwise"], f"{path}.otherwise")
        self.requires(extra.get("requires", {}), f"{path}.requires")
        self.schedule(key, extra.get("schedule", []), f"{path}.schedule")

    def variant(self, key: str, variant: Any, path: str) -> None:
        flag = self.flags[key]
        variants = flag.get("variants") if isinstance(flag, dict) else None
        if isinstance(variants, dict) and variant not in variants:
            self.say(path, f'names no variant of "{key}": "{variant}"')

    def requires(self, requires: Any, path: str) -> None:
        if not isinstance(requires, dict):
            self.say(path, "should be an object of flags and the variants they must have")
            return
        for other, wanted in requires.items():
            if other not in self.flags:
                self.say(f"{path}.{other}", "is not a flag of this set")
                continue
            for variant in wanted if isinstance(wanted, list) else [wanted]:
                self.variant(other, variant, f"{path}.{other}")

    def schedule(self, key: str, schedule: Any, path: str) -> None:
        if not isinstance(schedule, list):
            self.say(path, "should be a list of steps")
            return
        before = float("-inf")
        for index, step in enumerate(schedule):
            here = f"{path}.{index}"
            if not self.words(step, STEP_WORDS, here):
                continue
            at = moment(step.get("at"))
            if at is None:
                self.say(f"{here}.at", f'should be a time such as 2027-01-31T09:00:00Z, got "{step.get("at")}"')
            elif at <= before:
                self.say(f"{here}.at", "should come after the step before it")
            before = at if at is not None else before
            self.step(key, step, here)

    def step(self, key: str, step: dict[str, Any], path: str) -> None:
        if len([name for name in ("variant", "share", "targeting") if name in step]) != 1:
            self.say(path, "should have one of variant, share and targeting")
        elif "variant" in step:
            self.variant(key, step["variant"], f"{path}.variant")
        elif "share" in step:
            share = step["share"]
            if not isinstance(share, dict):
                self.say(f"{path}.share", "should be an object of variants and weights")
                return
            for variant, weight in share.items():
                self.variant(key, variant, f"{path}.share")
                if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
                    self.say(f"{path}.share.{variant}", f'should be a whole number, got "{weight}"')
        else:
            flag = self.flags[key]
            variants = flag.get("variants") if isinstance(flag, dict) else None
            Targeting(self.problems, self.named, set(variants or ())).rule(step["targeting"], f"{path}.targeting")
