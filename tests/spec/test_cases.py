"""Whole files and the model they mean, as `docker compose config --format json --no-path-resolution` prints it."""

import json
import os
from pathlib import Path

import pytest

from midair.cli.load import read
from midair.spec import load
from midair.spec.dotenv import parse_dotenv

CASES = Path(__file__).parent / "cases"
CORPUS = Path(__file__).parents[2] / "../shared/corpus/compose"
OPTIONS = {
    "every-field": {"environment": {"FROM_SHELL": "shell", "UNRELATED": "x"}},
    "interpolation": {
        "environment": {"SET": "set", "EMPTY": "", "PORT": "8080", "REPLICAS": "3", "INIT": "true"},
    },
    "merge": {"files": ("compose.yaml", "override.yaml")},
    "profiles": {"profiles": ("admin",)},
}


def load_folder(folder, files=("compose.yaml",), environment=None, **options):
    paths = [str(folder / name) for name in files]
    return load(paths, read, environment or {}, folder=str(folder), **options)


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_golden_case_means_what_is_expected(name):
    project = load_folder(CASES / name, **OPTIONS.get(name, {}))
    expected = CASES / name / "expected.json"
    if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
        expected.write_text(json.dumps(project.fields, indent=2, ensure_ascii=False) + "\n")
    assert project.fields == json.loads(expected.read_text())


def with_doubled_dollars(value):
    if isinstance(value, dict):
        return {key: with_doubled_dollars(each) for key, each in value.items()}  # keys are no templates
    if isinstance(value, list):
        return [with_doubled_dollars(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_the_canonical_form_read_again_is_the_same(name):
    fields = json.loads((CASES / name / "expected.json").read_text())
    text = json.dumps(with_doubled_dollars(fields))  # JSON is YAML
    folder = str(CASES / name)
    again = load([f"{folder}/again.yaml"], lambda path: text, {}, folder=folder, profiles=("*",))
    assert again.fields == fields


def corpus():
    return sorted(path for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.is_dir() else []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real files is not here")
def test_all_files_of_the_corpus_are_looked_at():
    assert len(corpus()) == 26


@pytest.mark.parametrize("folder", corpus(), ids=lambda path: path.name)
def test_a_real_file_means_what_the_reference_prints(folder):
    variables = folder / ".env"
    project = load_folder(
        folder,
        files=[path.name for path in folder.iterdir() if path.name in ("compose.yaml", "compose.yml")],
        environment=parse_dotenv(variables.read_text()) if variables.exists() else {},
    )
    printed = json.loads((folder / "expected.json").read_text())
    # The reference writes every dollar sign twice, so that its output can be read as a file again.
    assert json.loads(json.dumps(project.fields).replace("$", "$$")) == printed
