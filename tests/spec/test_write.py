"""What is written of a project means the same project to its next reader."""

import pytest
from msgspec.structs import replace
from tests.spec.test_cases import CASES, OPTIONS, load_folder

from midair.cli.load import read
from midair.spec import load
from midair.spec.write import as_json, as_yaml, written


def services(project):
    """Its services, without the names of its files, which a build leaves out."""
    named = project.services.items()
    return {name: replace(each, build=each.build and replace(each.build, ignore=())) for name, each in named}


ODD = [
    "1e3", "0x1f", "0o17", "1_000", "12:30:00", "yes", "NO", "~", "null", "", " a", "a ", "a: b", "#c", "- d", "*e",
    "&f", "!g", "%h", "@i", "`j", "line\nline\n", "tab\there", "é\u2028x", "2001-12-14", ".inf", "=", "<<", "$x", "$$",
]  # fmt: skip


@pytest.mark.parametrize("write", [as_yaml, as_json])
@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_written_project_reads_as_same_project(name, write):
    project = load_folder(CASES / name, **OPTIONS.get(name, {}))
    text = write(written(project))

    def reader(path):
        return text if path.endswith("again.yaml") else read(path)

    folder = str(CASES / name)
    again = load([f"{folder}/again.yaml"], reader, {}, folder=folder, profiles=("*",))
    assert again.fields == project.fields
    assert services(again) == services(project)
    assert again.extension == project.extension


@pytest.mark.parametrize("text", ODD)
def test_odd_text_reads_as_same_text(text, compose):
    fields = {"name": "shop", "services": {"web": {"image": "web", "environment": {"KEY": text}, "command": [text]}}}
    service = compose(as_yaml(fields)).services["web"]
    assert service.environment["KEY"] == text
    assert service.command == (text,)
