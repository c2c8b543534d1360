"""What is wrong with one targeting rule."""

import difflib
from typing import Any

from midair.errors import Problem
from midair.flags import operators
from midair.flags.fractional import LARGEST_TOTAL
from midair.flags.semver import COMPARISONS

DEEPEST = 100  # operators nested in one rule: far beyond what people write, half of what the engine takes
TWO = frozenset(["starts_with", "ends_with", "in", "===", "!==", "/", "%"])


class Targeting:
    """Walks a rule. `variants` are those that its answers may name; None where any value will do."""

    def __init__(self, problems: list[Problem], named: set[str], variants: set[str] | None) -> None:
        self.problems = problems
        self.named = named
        self.variants = variants
        self.is_too_deep = False

    def say(self, path: str, message: str) -> None:
        self.problems.append(Problem(path=path, message=message))

    def rule(self, node: Any, path: str) -> None:
        self.node(node, path, self.variants, 0)

    def node(self, node: Any, path: str, answers: set[str] | None, depth: int) -> None:
        """`answers` is set where the node's value becomes the rule's answer."""
        if depth > DEEPEST:
            self.is_too_deep = True
            if depth == DEEPEST + 1 and isinstance(node, dict):
                self.say(path, f"is nested more than {DEEPEST} operators deep")
            return
        if isinstance(node, list):
            for index, item in enumerate(node):
                self.node(item, f"{path}.{index}", None, depth)
        elif isinstance(node, dict):
            self.operator(node, path, answers, depth)
        elif answers and isinstance(node, str) and node not in answers:
            close = difflib.get_close_matches(node, sorted(answers), n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            self.say(path, f'names no variant: "{node}"{hint}')

    def operator(self, node: dict[str, Any], path: str, answers: set[str] | None, depth: int) -> None:
        if len(node) != 1:
            self.say(path, f"should have exactly one operator, got {len(node)}")
            return
        name, given = next(iter(node.items()))
        here = f"{path}.{name}"
        if name == "$ref":
            if not isinstance(given, str) or given not in self.named:
                self.say(here, f'names nothing in $evaluators: "{given}"')
            return
        if name not in operators.KNOWN:
            close = difflib.get_close_matches(str(name), sorted(operators.KNOWN), n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            self.say(path, f'has an unknown operator, "{name}"{hint}')
            return
        arguments = given if isinstance(given, list) else [given]
        self.count(name, arguments, here)
        if name == "fractional":
            self.shares(arguments, here, answers, depth)
            return
        for index, argument in enumerate(arguments):
            leads = (name in ("if", "?:") and (index % 2 == 1 or index == len(arguments) - 1)) or (
                name in ("and", "or") and index == len(arguments) - 1
            )
            inner = f"{here}.{index}" if isinstance(given, list) else here
            self.node(argument, inner, answers if leads else None, depth + 1)

    def count(self, name: str, arguments: list[Any], path: str) -> None:
        if name == "sem_ver":
            if len(arguments) != 3:
                self.say(path, f"should have three arguments, got {len(arguments)}")
            elif isinstance(arguments[1], str) and arguments[1] not in COMPARISONS:
                self.say(f"{path}.1", f'should be one of {" ".join(COMPARISONS)}, got "{arguments[1]}"')
        elif name in TWO and len(arguments) != 2:
            self.say(path, f"should have two arguments, got {len(arguments)}")

    def shares(self, arguments: list[Any], path: str, answers: set[str] | None, depth: int) -> None:
        first = 0 if arguments and isinstance(arguments[0], list) else 1
        if first and arguments:
            self.node(arguments[0], f"{path}.0", None, depth + 1)
        if len(arguments) == first:
            self.say(path, "should share out at least one variant")
        total: int | None = 0
        for index, share in enumerate(arguments[first:], first):
            here = f"{path}.{index}"
            if not isinstance(share, list) or not 1 <= len(share) <= 2:
                self.say(here, "should be a variant and its weight in a list")
                total = None
                continue
            self.node(share[0], f"{here}.0", answers, depth + 1)
            weight = share[1] if len(share) == 2 else 1
            if isinstance(weight, dict):
                self.node(weight, f"{here}.1", None, depth + 1)
                total = None
            elif isinstance(weight, bool) or not isinstance(weight, int):
                # Readers disagree about 50.0: some share it out, others fall back to the default.
                self.say(f"{here}.1", f'should be a whole number, got "{weight}"')
                total = None
            elif total is not None:
                total += max(0, weight)
        if total is not None and not 1 <= total <= LARGEST_TOTAL and len(arguments) > first:
            self.say(path, f"should have weights that add up to 1 … {LARGEST_TOTAL}, got {total}")
