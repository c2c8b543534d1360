"""Writes the generated parts of the pages in docs/ again; `--check` only tells which of them are stale.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; what is around it is written by hand.
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
import msgspec

from midair import errors
from midair.api.app import ENDPOINTS
from midair.api.openapi import describe
from midair.cli.machine import Check
from midair.cli.main import GROUPS as COMMANDS
from midair.cli.main import cli
from midair.model.plan import Confirmation, FieldChange, Plan, PlanStep
from midair.model.project import Port
from midair.model.seen import Tally, Trouble
from midair.plan.table import GROUPS, RUNTIMES, Row
from midair.rollout.phase import MOVES
from midair.view.change import ChangeView
from midair.view.daemon import BackupView, Health
from midair.view.event import EventView
from midair.view.flag import FindingView, FlagChangeView, FlagSetView, FlagView, MovesView, RampView
from midair.view.log import LogLine
from midair.view.status import ProjectSummary, ProjectView, ReplicaView, RevisionView, RouterView, ServiceView

PRINTED = (
    ProjectView, ServiceView, RevisionView, ReplicaView, RouterView, Port, Trouble, ProjectSummary, ChangeView, Tally,
    EventView, LogLine, Plan, PlanStep, FieldChange, Confirmation, Health, BackupView, Check,
    FlagSetView, FlagView, RampView, FlagChangeView, FindingView, MovesView,
)  # fmt: skip
DOCS = Path(__file__).resolve().parent.parent / "docs"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compose_fields() -> str:
    """Every field of a Compose service with its class on each runtime, one section for each group."""
    parts = []
    for group in GROUPS:
        rows = ([f"`{row.path}`", *(cell(row.on(runtime)) for runtime in RUNTIMES), notes(row)] for row in group.rows)
        parts.append(f"### {group.title}\n\n{group.text}\n\n{table(('field', *RUNTIMES, 'notes'), rows)}")
    return "\n\n".join(parts)


def cell(name: str) -> str:
    """A class as the page shows it."""
    return "no effect" if name == "named" else name


def notes(row: Row) -> str:
    """The causes of a row: the general one, then those of single runtimes."""
    own = [f"{runtime}: {text}" for runtime, text in row.notes.items()]
    if len(set(row.notes.values())) == 1 and len(own) == len(RUNTIMES):
        return next(iter(row.notes.values()))
    general = (
        [row.cause] if any(row.on(runtime) != "named" and runtime not in row.notes for runtime in RUNTIMES) else []
    )
    return "; ".join(general + own)


def commands() -> str:
    """What every command says to --help, a section for each group of commands."""
    context = click.Context(cli, info_name="midair", help_option_names=["-h", "--help"])
    parts = []
    for title, names in COMMANDS.items():
        parts.append(f"## {title}")
        parts += [page for name in names for page in command_pages(context, name, cli)]
    return "\n\n".join(parts)


def command_pages(parent: click.Context, name: str, group: click.Group) -> Iterable[str]:
    """The help of a command, and of the commands under it."""
    command = group.get_command(parent, name)
    assert command is not None
    context = click.Context(command, parent=parent, info_name=name, max_content_width=100, terminal_width=100)
    yield f"### {context.command_path}\n\n```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for under in command.list_commands(context):
            yield from command_pages(context, under, command)


def json_fields() -> str:
    """The fields of everything that `--json` prints."""
    return "\n\n".join(
        f"### {kind.__name__}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n{fields(kind)}" for kind in PRINTED
    )


def fields(kind: type[msgspec.Struct]) -> str:
    """Names and types of a record's fields."""
    hints = get_type_hints(kind)
    rows = ([f"`{field.encode_name}`", f"`{type_name(hints[field.name])}`"] for field in msgspec.structs.fields(kind))
    return table(("field", "type"), rows)


def type_name(hint: object) -> str:
    """A type as a reader of JSON calls it: list of ReplicaView, text or null."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return f"object of {type_name(inner[1])}"
    if origin is Literal:
        return ", ".join(f'"{value}"' for value in inner)
    if inner:
        return " or ".join(type_name(each) for each in inner)
    if hint is Any:
        return "anything"
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    return plain.get(hint, getattr(hint, "__name__", str(hint)))  # type: ignore[call-overload]


def error_kinds() -> str:
    """Every kind of error with what it means, its exit code and its HTTP status."""
    kinds = [
        kind for kind in all_errors(errors.MidairError) if "kind" in vars(kind) and kind.__module__ == errors.__name__
    ]
    rows = ((f"`{kind.kind}`", first_line(kind), str(kind.exit_code), str(kind.status)) for kind in kinds)
    return table(("kind", "meaning", "exit code", "HTTP status"), rows)


def all_errors(kind: type[errors.MidairError]) -> Iterable[type[errors.MidairError]]:
    """A class of errors and those below it, as the tree in errors.py has them."""
    yield kind
    for below in kind.__subclasses__():
        yield from all_errors(below)


def first_line(thing: object) -> str:
    """The first line of a docstring."""
    return (thing.__doc__ or "").strip().splitlines()[0]


def phases() -> str:
    """Every legal move of a rollout from one phase to another, with its reason."""
    moves = ([f"`{phase}`", f"`{then}`", why] for phase, ways in MOVES.items() for then, why in ways.items())
    return table(("from", "to", "when"), moves)


def api() -> str:
    """Every operation of the HTTP API, then the types that go in and come out."""
    document = json.loads(describe(ENDPOINTS))
    operations = [
        (f"`{method.upper()} {path}`", operation["summary"], goes_in(operation), comes_out(operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    types = [
        f"### {name}\n\n{properties(schema)}" for name, schema in sorted(document["components"]["schemas"].items())
    ]
    head = table(("operation", "does", "goes in", "comes out"), operations)
    return "\n\n".join(["## Operations", head, "## Streams", streams(), "## Types", *types])


def streams() -> str:
    """What each stream holds, with the operations that answer with it."""
    by_text: dict[str, list[str]] = {}
    for endpoint in ENDPOINTS:
        if endpoint.streams:
            by_text.setdefault(endpoint.streams, []).append(f"`{endpoint.method} {endpoint.path}`")
    return "\n\n".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())


def goes_in(operation: dict[str, Any]) -> str:
    """The type of the request's body, and its query parameters."""
    content = next(iter(operation.get("requestBody", {}).get("content", {}).values()), None)
    names = [f"`?{one['name']}=`" for one in operation["parameters"] if one["in"] == "query"]
    return " ".join(([schema_type(content["schema"])] if content else []) + names)


def comes_out(operation: dict[str, Any]) -> str:
    """The type of the answer with its status, or that it is a stream."""
    status, answer = next(iter(operation["responses"].items()))
    kinds = answer["content"]
    texts = [schema_type(kinds["application/json"]["schema"])] if "application/json" in kinds else []
    texts += ["a stream"] if kinds.keys() - {"application/json"} else []
    return f"{status} {', or '.join(texts)}".strip()


def properties(schema: dict[str, Any]) -> str:
    """What a type is, and its fields."""
    rows = [
        (f"`{name}`", schema_type(field), default(field) if name not in schema.get("required", []) else "required")
        for name, field in schema.get("properties", {}).items()
    ]
    text = inspect.cleandoc(schema.get("description", ""))
    return "\n\n".join(part for part in (text, table(("field", "type", "default"), rows) if rows else "") if part)


def default(field: dict[str, Any]) -> str:
    """The default of a field that may be left out."""
    return f"`{json.dumps(field['default'])}`" if "default" in field else ""


def schema_type(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(schema_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {schema_type(schema.get('items') or (schema.get('prefixItems') or [{}])[0])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {schema_type(schema['additionalProperties'])}"
    words = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return words.get(schema.get("type", "anything"), schema.get("type", "anything"))


def decisions() -> str:
    """Every decision with its status."""
    pages = [(page, page.read_text().splitlines()) for page in sorted((DOCS / "decisions").glob("[0-9]*.md"))]
    rows = ([f"[{lines[0].lstrip('# ')}]({page.name})", lines[2].removeprefix("Status: ")] for page, lines in pages)
    return table(("decision", "status"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "api": api,
    "decisions": decisions,
    "compose-fields": compose_fields,
    "errors": error_kinds,
    "phases": phases,
    "commands": commands,
    "json-fields": json_fields,
}
_PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """A page with its generated parts written again."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", text)


def main() -> int:
    """Write or check every page."""
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        before = page.read_text()
        after = renewed(before)
        if before != after:
            stale.append(str(page.relative_to(DOCS)))
            if "--check" not in sys.argv:
                page.write_text(after)
    for name in stale:
        print(f"{'stale' if '--check' in sys.argv else 'written'}: docs/{name}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
