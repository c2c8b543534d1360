"""What is wrong between flags: references and prerequisites that go round in circles, or cannot be repeated."""

from typing import Any

from midair.errors import Problem
from midair.flags.plain import shares_by_key_alone

Edges = dict[str, list[str]]

LONGEST = 8  # flags in a row that require each other: each is written out inside the next


def check_graph(data: dict[str, Any], flags: dict[str, Any]) -> list[Problem]:
    """For a set without other problems."""
    extension = data.get("x-midair") or {}
    rules = {**(data.get("$evaluators") or {}), **(extension.get("segments") or {})}
    extras = extension.get("flags") or {}
    requires = {key: list(extra.get("requires", ())) for key, extra in extras.items()}
    problems = [
        Problem(path="$evaluators", message=f"refer to each other in a circle: {' → '.join(circle)}")
        for circle in circles({name: references(rule) for name, rule in rules.items()})
    ]
    problems += [
        Problem(path=f"x-midair.flags.{circle[0]}.requires", message=f"goes in a circle: {' → '.join(circle)}")
        for circle in circles(requires)
    ]
    problems += [
        Problem(path=f"x-midair.flags.{key}.requires", message=f"goes through more than {LONGEST} flags")
        for key in requires
        if not problems and longest(requires, key) > LONGEST
    ]
    if problems or extension.get("fractional", "v2") == "v2":
        return problems
    for key, others in requires.items():
        for other in others:
            steps = extras.get(other, {}).get("schedule", ())
            parts = [
                flags[other].get("targeting"),
                *[rules[name] for name in references(flags[other]) if name in rules],
            ]
            if flags[other]["state"] == "DISABLED":
                continue
            if shares_by_key_alone(parts) or any("share" in step for step in steps):
                message = (
                    f'cannot be asked under v3: "{other}" shares out by the targeting key alone; '
                    'give its fractional a key of its own, such as {"cat": ["NAME", {"var": "targetingKey"}]}'
                )
                problems.append(Problem(path=f"x-midair.flags.{key}.requires.{other}", message=message))
    return problems


def longest(edges: Edges, start: str) -> int:
    """How many steps it takes to get through, in a graph without circles."""
    reached, steps = {start}, 0
    while reached and steps <= LONGEST + 1:
        reached, steps = {after for name in reached for after in edges.get(name, ())}, steps + 1
    return steps - 1


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    if len(node) == 1 and isinstance(node.get("$ref"), str):
        return [node["$ref"]]
    return references(list(node.values()))


def circles(edges: Edges) -> list[list[str]]:
    """One circle for each way round, named by a path that ends where it began."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        stack = [(start, 0)]
        while stack:
            name, index = stack.pop()
            if index == 0:
                if name in trail:
                    found.append([*trail[trail.index(name) :], name])
                    continue
                if name in done:
                    continue
                trail.append(name)
            nexts = edges.get(name, [])
            if index < len(nexts):
                stack += [(name, index + 1), (nexts[index], 0)]
            else:
                trail.remove(name)
                done.add(name)
    return found
