"""What a Docker build reads is what its digest counts."""

import os
import time

import pytest

from midair.errors import BuildTrouble
from midair.model.project import Build
from midair.source.context import Contexts
from midair.source.dockerignore import patterns
from midair.source.reader import Digests

# Pattern, a path it takes, a path it leaves: from the documentation of Go's filepath.Match and of `docker build`.
MATCHES = (
    ("*.md", "a.md", "docs/a.md"),
    ("docs", "docs/deep/a.md", "docs2"),
    ("/docs/", "docs/a.md", "a/docs"),
    ("./docs/../lib", "lib/x", "docs/x"),
    ("**/*.md", "docs/deep/a.md", "a.mdx"),
    ("docs/**", "docs/a", "docs"),
    ("docs/**/a", "docs/a", "docs/b"),
    ("temp?", "tempa", "temp"),
    ("*/temp*", "somedir/temporary.txt", "a/b/temp"),
    ("[a-c]x", "bx", "dx"),
    ("[^a-c]x", "dx", "bx"),
    ("[!a]x", "!x", "bx"),
    ("a+b(c).{d}", "a+b(c).{d}", "aab(c).{d}"),
    (r"\*.md", "*.md", "a.md"),
    ("sp ace", "sp ace/x", "sp"),
)


def matches(lines, path):
    """True when the last pattern that matches is no exception."""
    wins = [rule for rule in patterns(lines) if rule.match_file(path) is not None]
    return bool(wins) and wins[-1].include


@pytest.mark.parametrize(("pattern", "taken", "left"), MATCHES)
def test_dockerignore_patterns_match_as_in_go(pattern, taken, left):
    assert matches([pattern], taken)
    assert not matches([pattern], left)


def test_last_dockerignore_match_wins():
    lines = ["\ufeff# comment", "", " *.md ", "!README*.md", "README-secret.md"]
    assert [matches(lines, path) for path in ("a.md", "README.md", "README-secret.md")] == [True, False, True]
    assert not matches(["node_modules", "!node_modules/keep"], "node_modules/keep/x")


@pytest.mark.parametrize("line", ["!", "[", "[]a]", "[b-a]", "a\\"])
def test_dockerignore_patterns_that_docker_refuses(line):
    with pytest.raises(ValueError, match="pattern"):
        patterns([line])


@pytest.fixture
def place(tmp_path):
    context = tmp_path / "context"
    for name in ("Dockerfile", "app.py", "README.md", "src/README.md"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(name)
    return context


def digest(place, **build):
    contexts = Contexts(Digests(place.parent / "digests"), place.parent / "home")
    return contexts.digest(Build(context=str(place), **{"dockerfile": "Dockerfile", **build}))


def changes(place, name, **build):
    """Whether another line in this file is another build."""
    before = digest(place, **build)
    with (place / name).open("a") as file:
        file.write("\nmore")
    return digest(place, **build) != before


def test_ignored_dockerfile_and_ignore_file_count(place):
    (place / ".dockerignore").write_text("Dockerfile\n.dockerignore\n*.md\n")
    assert changes(place, "Dockerfile")
    assert changes(place, ".dockerignore")
    assert changes(place, "app.py")
    assert changes(place, "src/README.md")
    assert not changes(place, "README.md")


def test_dockerfile_outside_the_context_counts(place):
    (place.parent / "Dockerfile.prod").write_text("FROM scratch")
    assert changes(place, "../Dockerfile.prod", dockerfile="../Dockerfile.prod")


def test_ignore_file_of_the_dockerfile_comes_first(place):
    (place / ".dockerignore").write_text("app.py\n")
    (place / "Dockerfile.dockerignore").write_text("README.md\nDockerfile*\n")
    assert changes(place, "app.py")
    assert changes(place, "Dockerfile.dockerignore")
    assert not changes(place, "README.md")


def test_empty_folders_and_permissions_count(place):
    first = digest(place)
    (place / "uploads").mkdir()
    assert (second := digest(place)) != first
    (place / "app.py").chmod(0o755)
    assert digest(place) != second


def test_missing_dockerfile_is_named(place):
    (place / "Dockerfile").unlink()
    with pytest.raises(BuildTrouble, match=r'cannot read Dockerfile ".*/Dockerfile": no such file'):
        digest(place)


def test_contents_are_read_once(place, monkeypatch):
    reads = []
    monkeypatch.setattr("midair.source.reader._RACY_NS", 0)
    monkeypatch.setattr("midair.source.reader.digest_of", lambda path: reads.append(path) or "0")
    contexts = Contexts(Digests(place.parent / "digests"), place.parent / "home")
    for _ in range(3):
        contexts.digest(Build(context=str(place), dockerfile="Dockerfile"))
    assert len(reads) == 4


def test_digest_before_names_the_same_build(place):
    (place / ".dockerignore").write_text("Dockerfile\n*.md\n")
    contexts = Contexts(Digests(place.parent / "digests"), place.parent / "home")
    build = Build(context=str(place), dockerfile="Dockerfile")
    first = contexts.before(build)
    later = time.time() + 100
    os.utime(place / "src" / "README.md", (later, later))
    second = contexts.before(build)
    assert first.digest == second.digest != contexts.digest(build)
    assert first.changed_s < later - 50 < second.changed_s
