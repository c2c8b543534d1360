"""The images that a Dockerfile builds on, as far as its target needs them. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)", re.I)
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_OPTION = re.compile(r"--[\w-]+(=\S*)?\s+")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")
_FROM_OF = re.compile(r"(?:--from=|(?:^|,)from=)([^\s,]+)")


class _Stage(msgspec.Struct):
    name: str
    base: str
    also: list[str] = msgspec.field(default_factory=list)  # what COPY --from and RUN --mount=from name


def bases(text: str, args: Mapping[str, str], *, target: str | None = None, contexts: Iterable[str] = ()) -> list[str]:
    """Names of images, in the order of the file, each once; without those that a digest pins or `contexts` replace.

    `args`: build arguments, which win over the defaults of the file. A name that cannot be known is left out.
    """
    stages = list(_stages(text, args))
    known = {stage.name.lower(): index for index, stage in enumerate(stages)}
    found: dict[str, None] = {}
    for index in sorted(_needed(stages, known, target)):
        names = [stages[index].base, *stages[index].also]
        found |= dict.fromkeys(name for name in names if _stage_of(name, known, index) is None and not name.isdigit())
    replaced = {"scratch", *contexts}
    return [name for name in found if name not in replaced and "@" not in name and "$" not in name]


def _needed(stages: list[_Stage], known: Mapping[str, int], target: str | None) -> set[int]:
    """The stages that are built for a target, by number; for the last one without a target."""
    wanted = known.get((target or "").lower(), int(target) if target and target.isdigit() else len(stages) - 1)
    needed: set[int] = set()
    todo = [wanted] if 0 <= wanted < len(stages) else []
    while todo:
        index = todo.pop()
        if index not in needed:
            needed.add(index)
            names = [stages[index].base, *stages[index].also]
            todo += [other for name in names if (other := _stage_of(name, known, index)) is not None]
    return needed


def _stage_of(name: str, known: Mapping[str, int], before: int) -> int | None:
    """The number of an earlier stage, by its name or number."""
    index = int(name) if name.isdigit() else known.get(name.lower())
    return index if index is not None and index < before else None


def _stages(text: str, args: Mapping[str, str]) -> Iterator[_Stage]:
    values: dict[str, str] = {}
    stage: _Stage | None = None
    for word, rest in _instructions(text):
        if word == "ARG" and stage is None:
            values |= _defaults(rest, args, values)
        elif word == "FROM":
            if stage is not None:
                yield stage
            base, *more = _without_options(rest).split()
            stage = _Stage(more[1] if len(more) > 1 else "", _substituted(base, values))
        elif word in ("COPY", "ADD", "RUN") and stage is not None:
            stage.also += [name for option in _options(rest) for name in _FROM_OF.findall(option)]
    if stage is not None:
        yield stage


def _defaults(rest: str, args: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in rest.split():
        name, equals, value = entry.partition("=")
        if name in args:
            found[name] = args[name]
        elif equals:
            found[name] = _substituted(value.strip("\"'"), {**values, **found})
    return found


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """With variables that have a value replaced; others are left as they are, so that the name is seen as unknown."""

    def value(match: re.Match[str]) -> str:
        name, operator, word = match[1] or match[2], match[3] or "", match[4] or ""
        is_set = bool(values.get(name)) if operator.startswith(":") else name in values
        if operator.endswith("-"):
            return values[name] if is_set else word
        if operator.endswith("+"):
            return word if is_set else ""
        return values.get(name, match[0])

    return _VARIABLE.sub(value, text)


def _without_options(rest: str) -> str:
    while match := _OPTION.match(rest):
        rest = rest[match.end() :]
    return rest


def _options(rest: str) -> list[str]:
    return rest[: len(rest) - len(_without_options(rest))].split()


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction as its name in upper case and the rest, on one line; without the bodies of here-documents."""
    lines = iter(text.splitlines())
    first = next((match for line in text.splitlines()[:3] if (match := _ESCAPE.match(line))), None)
    escape = first[1] if first is not None else "\\"
    for line in lines:
        logical = line.strip()
        if not logical or logical.startswith("#"):
            continue
        while logical.endswith(escape):
            more = next((each.strip() for each in lines if not each.strip().startswith("#")), "")
            logical = f"{logical[:-1].rstrip()} {more}"
            if not more:
                break
        word, _, rest = logical.partition(" ")
        if word.upper() in ("RUN", "COPY", "ADD"):
            for end in _HEREDOC.findall(rest):
                next((each for each in lines if each.strip() == end), None)
        if rest.strip():
            yield word.upper(), rest.strip()
