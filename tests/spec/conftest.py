"""A Compose file without a disk: texts by name, in a folder that does not exist."""

import pytest

from midair.errors import FileRefused
from midair.spec import load

FOLDER = "/srv/shop"


def make_reader(files):
    def read(path):
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return read


@pytest.fixture
def compose():
    """Load one text, or several files by name; the first ones named `compose*` are the files to merge."""

    def run(*texts, files=None, environment=None, **options):
        named = {f"compose{index or ''}.yaml": text for index, text in enumerate(texts)}
        known = {f"{FOLDER}/{name}": text for name, text in {**named, **(files or {})}.items()}
        mains = [f"{FOLDER}/{name}" for name in named]
        return load(mains, make_reader(known), environment or {}, folder=FOLDER, **options)

    return run


@pytest.fixture
def service(compose):
    """Load one service `web` from its fields."""

    def run(fields, **options):
        indented = "".join(f"    {line}\n" for line in fields.strip("\n").splitlines())
        return compose(f"services:\n  web:\n{indented}", **options).services["web"]

    return run


@pytest.fixture
def refusal(compose):
    """The problems of a file that must be refused, as lines."""

    def run(*texts, **options):
        with pytest.raises(FileRefused) as caught:
            compose(*texts, **options)
        return [str(problem) for problem in caught.value.problems]

    return run
