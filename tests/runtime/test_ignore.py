"""Which files of a build directory are no part of a release."""

import pytest

from midair.source.reader import read_ignore, read_tree

FILES = (
    "a.py",
    "b.md",
    "docs/c.md",
    "docs/keep.md",
    "node_modules/x/y.js",
    "node_modules/z/keep.js",
    "lib/node_modules/w.js",
)


@pytest.fixture
def context(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def kept(context, more=()):
    tree = read_tree(context, read_ignore(context, more), context / "midair")
    return {entry.path for entry in tree.entries if entry.kind == "file"}


def test_without_rules_everything_is_kept(context):
    assert kept(context) == set(FILES)


def test_dockers_rules_start_at_the_top(context):
    (context / ".dockerignore").write_text("# no docs\n*.md\n node_modules \n\n")
    assert kept(context) == {"a.py", "docs/c.md", "docs/keep.md", "lib/node_modules/w.js"}
    (context / ".dockerignore").write_text("**/*.md\n./node_modules/\n/lib\n")
    assert kept(context) == {"a.py"}


def test_in_dockers_rules_the_last_that_matches_wins(context):
    (context / ".dockerignore").write_text("node_modules\n!node_modules/z/keep.js\ndocs\n!docs/*.md\ndocs/c.md\n")
    assert kept(context) == {"a.py", "b.md", "docs/keep.md", "node_modules/z/keep.js", "lib/node_modules/w.js"}


def test_gits_rules_hold_at_any_depth(context):
    (context / ".gitignore").write_text("*.md\nnode_modules\n")
    assert kept(context) == {"a.py"}
    (context / ".gitignore").write_text("*.md\n!keep.md\n/node_modules/\n")
    assert kept(context) == {"a.py", "docs/keep.md", "lib/node_modules/w.js"}


def test_one_file_of_rules_counts_and_midairs_own_comes_first(context):
    (context / ".gitignore").write_text("*\n")
    (context / ".dockerignore").write_text("docs\n")
    assert "a.py" in kept(context)
    (context / ".midairignore").write_text("*.py\n")
    assert kept(context) == set(FILES) - {"a.py"}


def test_rules_of_the_compose_file_are_added(context):
    (context / ".dockerignore").write_text("docs\n")
    assert kept(context, ("*.js", "!w.js")) == {"a.py", "b.md", "lib/node_modules/w.js"}
