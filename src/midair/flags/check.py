"""What is wrong with a set of flag definitions: every problem with the path to it. Stops at none.

A mistake that a reader of one flag meets alone, in its rule, say, keeps no other flag from being served. As in flagd,
who asks for that flag gets an error, and so the default of the code, when the rule gets there.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from midair.errors import Problem
from midair.flags.check_extension import Extension
from midair.flags.check_graph import check_graph
from midair.flags.check_targeting import Targeting

FLAG = ("state", "variants", "defaultVariant", "targeting", "metadata")
STATES = ("ENABLED", "DISABLED")
KINDS = {bool: "boolean", str: "string", int: "number", float: "number", dict: "object", list: "object"}


Odd = dict[str, tuple[Problem, ...]]


def check(data: Any) -> tuple[list[Problem], Odd]:
    """What keeps the set from being served, and by flag what leads to an error when the flag is asked for."""
    problems: list[Problem] = []
    checker = Checker(problems)
    flags = checker.everything(data)
    return problems or check_graph(data, flags), {key: tuple(found) for key, found in checker.odd.items() if found}


def suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


class Checker:
    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.odd: dict[str, list[Problem]] = {}

    def say(self, path: str, message: str) -> None:
        self.problems.append(Problem(path=path, message=message))

    def is_object(self, value: Any, path: str) -> bool:
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return True
        self.say(path, f"should be an object, got {short(value)}")
        return False

    def everything(self, data: Any) -> dict[str, Any]:
        if not self.is_object(data, ""):
            return {}
        if "flags" not in data:
            self.say("flags", "is missing" + suggest_key(data))
            return {}
        evaluators = data.get("$evaluators") or {}
        if not self.is_object(evaluators, "$evaluators"):
            evaluators = {}
        flags = self.flags(data["flags"])
        extension = data.get("x-midair") or {}
        segments = extension.get("segments") if isinstance(extension, dict) else None
        named = {*evaluators, *(segments if isinstance(segments, dict) else ())}
        for name, rule in evaluators.items():
            Targeting(self.problems, named, None).rule(rule, f"$evaluators.{name}")
        for key, flag in flags.items():
            self.flag(flag, key, named)
        self.metadata(data.get("metadata"), "metadata")
        if self.is_object(extension, "x-midair"):
            Extension(self.problems, flags, named).all(extension)
        return flags

    def flags(self, flags: Any) -> dict[str, Any]:
        if isinstance(flags, list):
            found: dict[str, Any] = {}
            for index, flag in enumerate(flags):
                key = flag.get("key") if isinstance(flag, dict) else None
                if not isinstance(key, str) or key in found:
                    self.say(f"flags.{index}.key", "should be a text that no other flag has")
                    continue
                found[key] = {name: value for name, value in flag.items() if name != "key"}
            return found
        return flags if self.is_object(flags, "flags") else {}

    def flag(self, flag: Any, key: str, named: set[str]) -> None:
        path, odd = f"flags.{key}", self.odd.setdefault(key, [])
        if path == "flags.":
            self.say(path, "should have a name")
        if not self.is_object(flag, path):
            return
        for name in flag:
            if name not in FLAG:
                hint = suggest(name, FLAG) or "; put what is yours under metadata or x-midair"
                odd.append(Problem(path=f"{path}.{name}", message=f"is not a part of a flag{hint}"))
        if flag.get("state") not in STATES:
            self.say(f"{path}.state", f"should be ENABLED or DISABLED, got {short(flag.get('state'))}")
        variants = self.variants(flag.get("variants"), f"{path}.variants")
        self.default(flag.get("defaultVariant"), variants, f"{path}.defaultVariant")
        targeting = flag.get("targeting")
        if targeting and self.is_object(targeting, f"{path}.targeting"):
            rule = Targeting([], named, variants)
            rule.rule(targeting, f"{path}.targeting")
            (self.problems if rule.is_too_deep else odd).extend(rule.problems)
        self.metadata(flag.get("metadata"), f"{path}.metadata")

    def variants(self, variants: Any, path: str) -> set[str]:
        if not self.is_object(variants, path):
            return set()
        kinds = {KINDS.get(type(value), "null") for value in variants.values()}
        if not variants:
            self.say(path, "should name at least one variant")
        elif "null" in kinds:
            self.say(path, "should not have null as a value")
        elif len(kinds) > 1:
            self.say(path, f"should be of one type, got {' and '.join(sorted(kinds))}")
        return set(variants)

    def default(self, default: Any, variants: set[str], path: str) -> None:
        if default is None or default == "":
            return
        name = str(default).lower() if isinstance(default, bool) else default
        if not isinstance(name, str):
            self.say(path, f"should be the name of a variant, got {short(default)}")
        elif variants and name not in variants:
            self.say(path, f'names no variant: "{name}"{suggest(name, variants)}')

    def metadata(self, metadata: Any, path: str) -> None:
        if metadata is None or not self.is_object(metadata, path):
            return
        for name, value in metadata.items():
            if not isinstance(value, (str, int, float, bool)):
                self.say(f"{path}.{name}", f"should be a text, a number, true or false, got {short(value)}")


def suggest_key(data: dict[str, Any]) -> str:
    close = difflib.get_close_matches("flags", list(data), n=1)
    return f'; did you mean it by "{close[0]}"?' if close else ""


def short(value: Any) -> str:
    """A value as an error shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
