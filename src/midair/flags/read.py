"""Text or data to a set of flags. A file that cannot be served is refused whole, with all its problems at once."""

import json
import re
from typing import Any

import msgspec
import yaml

from midair.errors import FileRefused, Problem
from midair.flags.check import check
from midair.flags.definition import FlagSet

# Python's own parsers give up at depths that differ from version to version; no flag needs a tenth of this.
DEEPEST = 200
# What an alias bomb would exceed.
MOST_VALUES = 1_000_000


def read(text: str | bytes, file: str = "") -> FlagSet:
    """JSON or YAML. Raises FileRefused."""
    return build(parse(text, file), file)


def build(data: Any, file: str = "") -> FlagSet:
    problems, odd = check(data)
    if problems:
        every = (*problems, *(problem for found in odd.values() for problem in found))
        named = tuple(msgspec.structs.replace(problem, file=file) for problem in every)
        raise FileRefused(named, hint="correct the flags; the flags in use stay as they are")
    flags = data["flags"]
    if isinstance(flags, list):
        flags = {flag["key"]: {name: value for name, value in flag.items() if name != "key"} for flag in flags}
    known = ("flags", "$evaluators", "metadata", "x-midair")
    return FlagSet(
        flags=flags,
        evaluators=data.get("$evaluators") or {},
        metadata=data.get("metadata") or {},
        extension=data.get("x-midair") or {},
        others={name: value for name, value in data.items() if name not in known},
        odd=odd,
    )


def warnings(flags: FlagSet, file: str) -> tuple[str, ...]:
    """A line for each flag with mistakes."""
    lines = []
    for key, problems in flags.odd.items():
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        effect = "who gets there gets the default of the code"
        lines.append(
            f"{file}: flag {key}: {problems[0].path.removeprefix(f'flags.{key}.')} {problems[0].message}{more}"
        )
        lines[-1] += f"; {effect}" if any(".targeting" in problem.path for problem in problems) else ""
    return tuple(lines)


def parse(text: str | bytes, file: str = "") -> Any:
    try:
        source = text.decode() if isinstance(text, bytes) else text
        if source.lstrip()[:1] == "{":
            data = json.loads(source, object_pairs_hook=_once, parse_constant=_finite)
        else:
            data = yaml.load(source, Loader=_Loader)
    except RecursionError:
        raise _refused(file, "is nested too deeply") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        raise _refused(file, f"is not YAML: {getattr(problem, 'problem', problem)}", *place) from None
    except json.JSONDecodeError as problem:
        raise _refused(file, f"is not JSON: {problem.msg.lower()}", problem.lineno, problem.colno) from None
    except ValueError as problem:
        raise _refused(file, str(problem)) from None
    if _is_deeper(data, DEEPEST):
        raise _refused(file, "is nested too deeply")
    if _size(data, {}) > MOST_VALUES:
        raise _refused(file, f"has more than {MOST_VALUES} values once aliases are followed")
    return data


def _size(data: Any, known: dict[int, int]) -> int:
    """How many values there are, with every alias of YAML followed."""
    if not isinstance(data, dict | list):
        return 1
    if id(data) not in known:
        known[id(data)] = 1 + sum(_size(part, known) for part in (data.values() if isinstance(data, dict) else data))
    return known[id(data)]


def _is_deeper(data: Any, limit: int) -> bool:
    """Whether lists and objects stand in each other more than `limit` times. An alias of YAML that holds itself is."""
    level = [data]
    for _ in range(limit):
        level = list({id(part): part for whole in level for part in _parts(whole)}.values())
        if not level:
            return False
    return True


def _parts(whole: Any) -> list[Any]:
    values = whole.values() if isinstance(whole, dict) else whole if isinstance(whole, list) else ()
    return [value for value in values if isinstance(value, dict | list)]


def _refused(file: str, message: str, line: int = 0, column: int = 0) -> FileRefused:
    return FileRefused((Problem(path="", message=message, file=file, line=line, column=column),))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f'says "{name}" twice in one object')
        found[name] = value
    return found


def _finite(name: str) -> Any:
    raise ValueError(f"says {name}, which JSON has no number for")


class _Loader(yaml.SafeLoader):
    """YAML of the shape of JSON: `on` and `off` are names of variants, and a date stays the text it was written as."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is written twice, as for JSON: the last one would win in silence."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise ValueError(f'says "{key.value}" twice in one object')
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in _TAGS]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
