"""Two Compose files, one after the other, and the plan between them, as one text: file, file, plan.

Each story in stories/ is `before`, `after` and the plan, divided by lines of dashes. MIDAIR_GOLDEN=rewrite writes the
plans again.
"""

import os
from pathlib import Path

import pytest

from midair import plan
from midair.model.project import Service
from midair.spec import load

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))
CORPUS = sorted((Path(__file__).parents[2] / "../shared/corpus/compose").glob("*/compose.yaml"))
DIVIDER = "----\n"


def read(text, name="/srv/shop/compose.yaml"):
    def reader(path):
        if path == name:
            return text
        raise FileNotFoundError(path)

    variables = Path(name).parent / ".env"
    lines = variables.read_text().splitlines() if variables.exists() else []
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    return load(files=(name,), reader=reader, environment=environment, folder="/srv/shop", project_name="shop")


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_golden_story(story):
    before, after, _ = story.read_text().split(DIVIDER)
    state = plan.build(None, read(before), {})[1]
    text = plan.render(plan.build(state, read(after), {})[0]) + "\n"
    if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
        story.write_text(DIVIDER.join((before, after, text)))
    assert text == story.read_text().split(DIVIDER)[2]


@pytest.mark.skipif(not CORPUS, reason="the corpus of sample files is not here")
@pytest.mark.parametrize("file", CORPUS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("runtime", ["docker", "swarm", "kubernetes"])
def test_a_well_known_sample_can_be_planned_for_engines(file, runtime):
    text = f"x-midair: {{runtime: {runtime}}}\n" + file.read_text()
    project = read(text, str(file))
    assert {service.runtime for service in project.services.values()} <= {runtime}
    first, after = plan.build(None, project, {})
    assert first.refusals == ()
    assert [step.kind for step in first.steps] == ["add"] * len(project.services)
    again, _ = plan.build(after, project, {})
    assert again.is_empty


@pytest.mark.skipif(not CORPUS, reason="the corpus of sample files is not here")
@pytest.mark.parametrize("file", CORPUS, ids=lambda path: path.parent.name)
def test_a_sample_that_needs_images_is_refused_on_plain_processes_by_name(file):
    project = read("x-midair: {runtime: process}\n" + file.read_text(), str(file))
    first, _ = plan.build(None, project, {})
    without_command = [one.name for one in project.services.values() if not (one.command or one.entrypoint)]
    assert len(first.refusals) >= len(without_command)
    assert all(isinstance(service, Service) for service in project.services.values())
