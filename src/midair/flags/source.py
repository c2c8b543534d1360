"""Targeting rules as Python source: one small function per rule, its constants handed in from outside.

Three ways to write an expression: its value, its truth (for conditions), or the outcome it leads to. Nothing from
a rule is ever pasted into the source: names, texts and numbers are constants, so rules of one shape share one
compiled function, and a rule cannot smuggle code in. Large rules are cut into several functions.
"""

from __future__ import annotations

from functools import lru_cache

from midair.flags import fractional as split
from midair.flags import operators, semver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from midair.flags.rule import Rule

    Mode = Literal["value", "truth", "result"]

LONG = 8  # arguments beyond which an operator gets a function for each of them
DEEP = 12  # operators nested in one function: Python's parser has limits of its own
WIDE = 120  # operators in one function, so that no compilation takes long
DEEPEST = 200  # operators nested in one rule; flagd's reference ends at about 300

COMPARED = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}
SEMVER = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class TooDeep(ValueError):
    """A rule with more operators inside each other than can be followed."""


class UnknownOperator(Exception):
    """An operator that nobody has heard of was reached while evaluating."""


def unknown(name: str) -> Any:
    raise UnknownOperator(name)


def run(functions: tuple[Callable[[Any], Any], ...], context: Any) -> list[Any]:
    return [function(context) for function in functions]


def branch(arms: Any, otherwise: Callable[[Any], Any], context: Any) -> Any:
    for test, then in arms:
        if test(context):
            return then(context)
    return otherwise(context)


def first_where(wanted: bool, functions: Any, context: Any) -> Any:
    value = None
    for function in functions:
        value = function(context)
        if operators.truthy(value) is wanted:
            break
    return value


NAMES: dict[str, Any] = {
    "truthy": operators.truthy,
    "lookup": operators.lookup,
    "follow": operators.follow,
    "fold": operators.fold,
    "version": semver.version,
    "fractional": split.fractional,
    "choose": split.choose,
    "unknown": unknown,
    "run": run,
    "branch": branch,
    "first_where": first_where,
    "__builtins__": {"str": str, "int": int},
}


@lru_cache(maxsize=2048)
def maker(body: str, constants: int) -> Callable[..., Callable[[Any], Any]]:
    """Constants become default arguments: the fastest to read, and one object for the garbage collector to visit."""
    names = "".join(f", k{index}" for index in range(constants))
    defaults = "".join(f", k{index}=k{index}" for index in range(constants))
    source = f"def make({names[2:]}):\n def rule(c{defaults}):\n  return {body}\n return rule\n"
    scope: dict[str, Any] = {}
    exec(compile(source, "<flag rule>", "exec"), NAMES, scope)  # noqa: S102  the body holds names of ours alone
    made: Callable[..., Callable[[Any], Any]] = scope["make"]
    return made


def is_logic(node: Any) -> bool:
    """An object with exactly one key is an operator; any other value stands for itself."""
    return isinstance(node, dict) and len(node) == 1


def is_constant(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(is_constant, node))
    return not is_logic(node)


def function(rule: Rule, node: Any, mode: Mode, *, top: bool = True, level: int = 0) -> Callable[[Any], Any]:
    writer = Writer(rule, top, level)
    body = getattr(writer, mode)(node, 0)
    return maker(body, len(writer.constants))(*writer.constants)


class Writer:
    """Writes the expression of one function."""

    def __init__(self, rule: Rule, top: bool, level: int) -> None:
        self.rule = rule
        self.top = top  # the data is the caller's context, not an item of a list
        self.level = level  # operators around this function
        self.constants: list[Any] = []
        self.size = 0
        self.names = 0

    def constant(self, value: Any) -> str:
        if value is None or value is True or value is False:
            return str(value)
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def name(self) -> str:
        self.names += 1
        return f"t{self.names}"

    def apart(self, node: Any, mode: Mode, depth: int, *, top: bool | None = None) -> Callable[[Any], Any]:
        """The same as a function of its own."""
        scope = self.top if top is None else top
        return function(self.rule, node, mode, top=scope, level=self.level + depth + 1)

    def full(self, depth: int) -> bool:
        self.size += 1
        if self.level + depth > DEEPEST:
            raise TooDeep(f"more than {DEEPEST} operators are nested")
        return depth >= DEEP or self.size > WIDE

    # The three ways to write a node.

    def value(self, node: Any, depth: int) -> str:
        if isinstance(node, list) and not is_constant(node):
            return f"[{self.arguments(node, depth)}]"
        if not is_logic(node):
            return self.constant(node)
        if self.full(depth):
            return f"{self.constant(self.apart(node, 'value', depth - 1))}(c)"
        name, given = next(iter(node.items()))
        return self.operator(name, given if isinstance(given, list) else [given], depth)

    def truth(self, node: Any, depth: int) -> str:
        if is_constant(node):
            return str(operators.truthy(node))
        name, given = next(iter(node.items())) if is_logic(node) else ("", None)
        arguments = given if isinstance(given, list) else [given]
        if name in ("and", "or") and len(arguments) <= LONG and not self.full(depth):
            joined = f" {name} ".join(self.truth(argument, depth + 1) for argument in arguments)
            return f"({joined or False})"
        value = self.value(node, depth)
        return value if name in operators.YES_OR_NO else f"truthy({value})"

    def result(self, node: Any, depth: int) -> str:
        if is_constant(node):
            return self.constant(self.rule.pick(node))
        name, given = next(iter(node.items())) if is_logic(node) else ("", None)
        arguments = given if isinstance(given, list) else [given]
        if name in ("if", "?:") and not self.full(depth):
            return self.choice(arguments, depth, "result")
        if name == "fractional" and all(isinstance(share, list) for share in arguments):
            limits = split.bounds(arguments) if is_constant(arguments) else None
            if limits is not None:
                return self.share(limits)
        return f"{self.constant(self.rule.pick)}({self.value(node, depth)})"

    # Operators.

    def operator(self, name: str, given: list[Any], depth: int) -> str:
        if name in operators.PLAIN:
            short = self.short(name, given, depth) if len(given) in (2, 3) else None
            return short or f"{self.constant(operators.PLAIN[name])}({self.arguments(given, depth)})"
        if name == "var":
            return self.variable(given, depth)
        if name in operators.READING:
            reader = self.constant(operators.READING[name])
            return f"{reader}({self.data()}, {self.arguments(given, depth)})"
        if name in ("if", "?:"):
            return self.choice(given, depth, "value")
        if name in ("and", "or"):
            return self.chain(name, given, depth)
        if name == "fractional":
            return self.fractional(given, depth)
        if name in operators.LISTING:
            return self.listing(name, given, depth)
        if name == "reduce":
            step = self.apart(given[1] if len(given) > 1 else None, "value", depth, top=False)
            start = self.constant(given[2] if len(given) > 2 else None)
            return f"fold({self.value(given[0], depth + 1)}, {self.constant(step)}, {start})" if given else "None"
        return f"unknown({self.constant(name)})"

    def arguments(self, given: list[Any], depth: int) -> str:
        if len(given) <= LONG:
            return ", ".join([self.value(node, depth + 1) for node in given])
        each = tuple(self.apart(node, "value", depth) for node in given)
        return f"*run({self.constant(each)}, c)"

    def short(self, name: str, given: list[Any], depth: int) -> str | None:
        """The usual rules, a value compared with a constant, without a call."""
        left, right = given[0], given[1]
        if name == "sem_ver" and len(given) == 3 and is_constant([right, given[2]]):
            wanted = semver.version(str(given[2])) if right in SEMVER else None
            if wanted is not None:
                found, read = self.name(), self.name()
                value = f"({read} := {self.value(left, depth + 1)})"
                text = f"({read} if {value}.__class__ is str else str({read}))"
                return f"(({found} := version({text})) and {found} {SEMVER[right]} {self.constant(wanted)})"
        if len(given) != 2 or not is_constant(right) or is_constant(left):
            return None
        if name == "in" and isinstance(right, list):
            return self.member(self.value(left, depth + 1), right)
        if name in ("===", "!=="):
            return f"({self.value(left, depth + 1)} {name[:2]} {self.constant(right)})"
        number = isinstance(right, (int, float)) and not isinstance(right, bool)
        affix = name in ("starts_with", "ends_with")
        if not (isinstance(right, str) and (affix or name in ("==", "!="))) and not (number and name in COMPARED):
            return None
        read = self.name()
        value, wanted_ = f"({read} := {self.value(left, depth + 1)})", self.constant(right)
        kind = f"{value}.__class__ is {'int' if number else 'str'}"
        quick = f"{read}.{name.replace('_', '')}({wanted_})" if affix else f"{read} {name} {wanted_}"
        return f"({quick} if {kind} else {self.constant(operators.PLAIN[name])}({read}, {wanted_}))"

    def member(self, needle: str, members: list[Any]) -> str:
        if len(members) <= LONG or not all(isinstance(member, str) for member in members):
            return f"({needle} in {self.constant(tuple(members))})"
        read = self.name()
        quick = f"{read} in {self.constant(frozenset(members))}"
        return f"({quick} if ({read} := {needle}).__class__ is str else {read} in {self.constant(members)})"

    def variable(self, given: list[Any], depth: int) -> str:
        fixed = is_constant(given[:2]) and len(given) <= 2
        key = given[0] if given else None
        if not fixed or key is None or key == "" or (not self.top and not isinstance(key, str)):
            return f"lookup({self.data()}, {self.arguments(given, depth)})"
        path = operators.text(key).split(".")
        default = self.constant(given[1] if len(given) == 2 else None)
        if not self.top:
            return f"follow(c, {self.constant(tuple(path))}, {default})"
        if path == ["$flagd", "flagKey"]:
            return self.constant(self.rule.key)
        if path == ["$flagd", "timestamp"]:
            return f"{self.constant(self.rule.clock)}()"
        if path[0] == "$flagd":
            return f"follow({self.data()}, {self.constant(tuple(path))}, {default})"
        first = f"c.get({self.constant(path[0])})"
        if path[1:]:
            return f"follow({first}, {self.constant(tuple(path[1:]))}, {default})"
        if default == "None":
            return first
        read = self.name()
        return f"({default} if ({read} := {first}) is None else {read})"

    def data(self) -> str:
        return f"{self.constant(self.rule.surroundings)}(c)" if self.top else "c"

    def choice(self, given: list[Any], depth: int, mode: Mode) -> str:
        write = getattr(self, mode)
        arms = list(zip(given[:-1:2], given[1::2], strict=False))
        last = given[-1] if len(given) % 2 else None
        if len(arms) > LONG:
            pairs = tuple((self.apart(test, "truth", depth), self.apart(then, mode, depth)) for test, then in arms)
            otherwise = self.constant(self.apart(last, mode, depth))
            return f"branch({self.constant(pairs)}, {otherwise}, c)"
        written = [f"{write(then, depth + 1)} if {self.truth(test, depth + 1)} else " for test, then in arms]
        return f"({''.join(written)}{write(last, depth + 1)})"

    def chain(self, name: str, given: list[Any], depth: int) -> str:
        """The first argument that settles it, or the last."""
        if len(given) > LONG:
            each = tuple(self.apart(node, "value", depth) for node in given)
            return f"first_where({name == 'or'}, {self.constant(each)}, c)"
        written = [self.value(node, depth + 1) for node in given]
        for index in range(len(written) - 1):
            read = self.name()
            settled = f"truthy({read} := {written[index]})"
            written[index] = f"{read} if {settled if name == 'or' else f'not {settled}'} else "
        return f"({''.join(written) or None})"

    def listing(self, name: str, given: list[Any], depth: int) -> str:
        call, yes_or_no = operators.LISTING[name]
        if len(given) < (1 if name == "map" else 2):
            return {"filter": "[]", "map": "[]", "none": "True"}.get(name, "False")
        mode: Mode = "truth" if yes_or_no else "value"
        inner = self.apart(given[1] if len(given) > 1 else None, mode, depth, top=False)
        return f"{self.constant(call)}({self.value(given[0], depth + 1)}, {self.constant(inner)})"

    # Shares of users.

    def fractional(self, given: list[Any], depth: int) -> str:
        version = self.constant(self.rule.version)
        key = self.constant(self.rule.key) if self.top else "follow(c, ('$flagd', 'flagKey'), '')"
        return f"fractional({version}, {key}, c.get('targetingKey'), {self.arguments(given, depth)})"

    def share(self, limits: split.Bounds) -> str:
        """Shares that are fixed lead straight to outcomes: one hash and a comparison or two."""
        hashed, hasher = self.name(), self.constant(split.HASHES[self.rule.version])
        prefix = split.seed(self.rule.version, self.rule.key)
        outcomes = tuple((limit, self.rule.pick(variant)) for limit, variant in limits)
        if len(outcomes) > LONG:
            written = f"choose({self.constant(outcomes)}, {hashed})"
        else:
            tests = [f"{self.constant(found)} if {hashed} < {self.constant(limit)} else " for limit, found in outcomes]
            written = "".join(tests[:-1]) + self.constant(outcomes[-1][1])
        none = self.constant(self.rule.pick(None))
        call = f"{hasher}({self.constant(prefix)}, c.get('targetingKey'))"
        return f"({none} if ({hashed} := {call}) is None else {written})"
