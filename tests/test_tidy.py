"""What every file of the project keeps to: sizes, names, words, and links that lead somewhere."""

import ast
import re
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("src", "tests", "tools", "bench", "docs", "examples")
LINES_A_FILE = 400
LINES_A_FUNCTION = 60
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "misc", "stuff", "manager"}
# Put together here so that this file does not contain them.
BANNED_WORDS = [
    "/" + "work" + "/",
    "/" + "root" + "/",
    "TO" + "DO",
    "FIX" + "ME",
]


# Hosts of package registries, all of which end alike: how long each is, and its digest.
HOSTS_END = ".org"
BANNED_HOSTS = [
    (8, "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41"),
    (16, "8b5bb5eb9d758455b8635855cf8aaf05b68775e3f83f0291e800ef338fb9783c"),
    (9, "8743857e3ea00fd1c64bbc68b8af241954ad2c285e7a60340eec7ea5dcb200db"),
    (14, "e680c440a2e92079ab1bf7a927e8d3920f1bcd173c0487e28e020110b2e59efc"),
]


def files(suffix):
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob(f"*{suffix}")]
    return sorted(path for path in found if not any(part.startswith((".", "__pycache__")) for part in path.parts[-3:]))


PYTHON = files(".py")
PAGES = sorted([*ROOT.glob("*.md"), *files(".md")])


def name(path):
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_400_lines():
    lengths = {name(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert {path: lines for path, lines in lengths.items() if lines > LINES_A_FILE} == {}


def test_no_function_is_longer_than_60_lines():
    found = {}
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LINES_A_FUNCTION:
                    found[f"{name(path)}:{node.name}"] = lines
    assert found == {}


def test_every_module_says_what_it_is():
    modules = [path for path in PYTHON if path.is_relative_to(ROOT / "src") and path.read_text().strip()]
    assert [name(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_code_asks_what_a_runtime_can_do():
    """Which one it is matters where a runtime is made, and where its program is looked for."""
    asking = re.compile(r"\bruntime (==|!=|in|not in) \W*(process|docker|swarm|kubernetes)\b")
    sources = [path for path in PYTHON if path.is_relative_to(ROOT / "src")]
    by_name = [str(path.relative_to(ROOT)) for path in sources if asking.search(path.read_text())]
    assert by_name == ["src/midair/cli/machine.py", "src/midair/runtime/docker/files.py"]


def test_no_module_has_a_name_that_says_nothing():
    assert [name(path) for path in PYTHON if path.stem.lower().strip("_") in VAGUE_NAMES] == []


@pytest.mark.parametrize("word", BANNED_WORDS)
def test_a_banned_word_stands_nowhere(word):
    others = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    assert [name(path) for path in (*PYTHON, *PAGES, *others) if word in path.read_text()] == []


@pytest.mark.parametrize(("length", "digest"), BANNED_HOSTS)
def test_a_banned_host_stands_nowhere(length, digest):
    others = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    assert [name(path) for path in (*PYTHON, *PAGES, *others) if has_host(path.read_text(), length, digest)] == []


def test_a_banned_host_would_be_found():
    length, digest = len("an.example" + HOSTS_END), sha256(("an.example" + HOSTS_END).encode()).hexdigest()
    assert has_host(f"https://files.an.example{HOSTS_END}/simple", length, digest)
    assert not has_host(f"https://files.another.example{HOSTS_END}x", length, sha256(b"other").hexdigest())


def has_host(text, length, digest):
    """Whether a text of that length and digest, which ends as hosts do, stands anywhere in it."""
    ends = (found.end() for found in re.finditer(re.escape(HOSTS_END), text))
    return any(sha256(text[max(0, end - length) : end].encode()).hexdigest() == digest for end in ends)


def headings(page):
    """The anchors of a page, as the usual Markdown viewers make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file) if file else page
        if not place.exists() or (anchor and anchor not in headings(place)):
            broken.append(target)
    assert broken == []
