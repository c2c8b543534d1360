"""The page about flags is true: its file is accepted, its commands exist, its examples run."""

import re
from pathlib import Path

import click
import pytest

from midair.cli.flag import command
from midair.errors import FileRefused
from midair.flags.read import read

PAGE = (Path(__file__).parents[2] / "docs/flags.md").read_text()


def test_the_file_on_the_page_is_accepted_once_its_prerequisite_is_there():
    text = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
    flag = "  checkout-v2: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: on}\n"
    assert set(read(text.replace("metadata:", flag + "metadata:")).flags) == {"new-button", "checkout-v2"}
    with pytest.raises(FileRefused) as refused:
        read(text)
    assert [problem.path for problem in refused.value.problems] == ["x-midair.flags.new-button.requires.checkout-v2"]


def test_the_page_names_every_command():
    assert isinstance(command, click.Group)
    named = set(re.findall(r"`flag (\w+)", PAGE)) | set(re.findall(r"midair flag (\w+)", PAGE))
    assert named == set(command.commands)


def test_the_page_names_every_path_that_is_served():
    from midair.flagserver.hub import Hub
    from midair.flagserver.routes import routes

    for route in routes(Hub()):
        paths = [route.path + inner.path for inner in getattr(route, "routes", None) or ()] or [route.path]
        for path in paths:
            shown = path.replace("{key:path}", "{key}").rstrip("/")
            assert shown in PAGE, shown
