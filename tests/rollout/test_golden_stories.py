"""Stories of rollouts, compared as text. The first line of a story says what it shows."""

import os
from pathlib import Path

import pytest

from midair.rollout.phase import MOVES

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


def played(text, stage):
    """The story with everything that the core says written again."""
    lines = []
    for line in text.splitlines():
        if line.startswith("    "):
            continue
        lines.append(line)
        if line and not line.startswith("#"):
            lines += [f"    {answer}" for answer in stage.play(line)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_golden_story(path, stage):
    text = path.read_text()
    now = played(text, stage)
    if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
        path.write_text(now)
    else:
        assert now == text


def test_every_phase_occurs_in_a_story():
    told = "".join(path.read_text() for path in STORIES)
    missing = [phase for phase in MOVES if f"    {phase}" not in told and phase not in ("pending", "superseded")]
    assert missing == []
