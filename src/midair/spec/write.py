"""Writes what was read as Compose text again: YAML or JSON that means the same project to whoever reads it."""

import json
import re
from typing import Any

import yaml

from midair.model.project import Project

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*")
# In one version of YAML or another these are no texts.
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"}


class _Dumper(yaml.SafeDumper):
    """Quotes every text that any reader could take for something else, and repeats instead of referring."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text)


def written(project: Project) -> dict[str, Any]:
    """All that the files say, in canonical form: `Project.fields`, with midair's own words for each service."""
    services = {
        name: {**fields, "x-midair": project.services[name].extension} if project.services[name].extension else fields
        for name, fields in project.fields["services"].items()
    }
    return {**project.fields, "services": services}


def as_yaml(fields: dict[str, Any]) -> str:
    """What `written` returns, as YAML."""
    return str(yaml.dump(doubled(fields), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))


def as_json(fields: dict[str, Any]) -> str:
    """What `written` returns, as JSON."""
    return json.dumps(doubled(fields), indent=2, ensure_ascii=False)


def doubled(value: Any) -> Any:
    """With `$$` for each `$`, which begins no variable any more. Keys are no templates."""
    if isinstance(value, dict):
        return {key: doubled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [doubled(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
