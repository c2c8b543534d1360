"""What is said about wrong files, word for word, in `golden/NAME.txt` beside `golden/NAME.yaml`."""

import os
from pathlib import Path

import pytest

from midair.cli.load import read
from midair.errors import FileRefused
from midair.spec import load

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_golden_problems_are_told_all_at_once(name):
    with pytest.raises(FileRefused) as caught:
        load([str(GOLDEN / f"{name}.yaml")], read, {})
    told = "".join(f"{problem}\n" for problem in caught.value.problems)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
        golden.write_text(told)
    assert told == golden.read_text()
