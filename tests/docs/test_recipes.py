"""Recipes are files that midair reads and plans without a complaint. `make recipes` runs them."""

import importlib.util
from pathlib import Path

import pytest

from midair.plan import build
from midair.spec import load

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("run_readme", ROOT / "tools" / "run_readme.py")
assert SPEC is not None
assert SPEC.loader is not None
run_readme = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_readme)
RECIPES = run_readme.recipes((ROOT / "docs" / "recipes.md").read_text())


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_is_planned_without_a_warning(title, tmp_path):
    files = dict(run_readme.FILE.findall(RECIPES[title]))
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        if name.endswith(".py"):
            compile(content, name, "exec")
    compose = str(tmp_path / "compose.yaml")
    project = load(
        files=(compose,), reader=lambda path: Path(path).read_text(), environment={}, folder=str(tmp_path),
        project_name="recipe",
    )  # fmt: skip
    plan, _ = build(None, project, dict.fromkeys(project.services, "r1"))
    assert plan.refusals == ()
    assert [text for text in plan.warnings if "without effect" not in text] == []


def test_recipes_publish_different_ports():
    lines = [line for text in RECIPES.values() for line in text.splitlines() if "ports: [" in line]
    assert len(lines) == len(set(lines)) >= len(RECIPES) > 5


def test_shown_output_is_compared_with_what_is_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(run_readme, "script", lambda page, of=run_readme.script: of(page).replace("midair ", ": "))
    page = "`greeting`:\n\n```\nhello\n```\n\n```console\n$ cat greeting\n{}\n```\n"
    assert run_readme.cook("right", page.format("hello"))
    assert not run_readme.cook("wrong", page.format("bye"))
