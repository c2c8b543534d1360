"""Pages that are written from the code say what the code says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def gen_docs():
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_generated_page_is_up_to_date(page, gen_docs):
    assert page.read_text() == gen_docs.renewed(page.read_text()), f"{page.name} is stale: run make docs"


def test_every_generated_part_stands_in_a_page(gen_docs):
    text = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in gen_docs.PARTS if f"<!-- generated: {name} -->" not in text] == []
