"""What midair demo --keep leaves can be played with by the commands that it names."""

from midair.cli.load import load_project
from midair.demo.run import what_stays
from midair.demo.scenery import Scenery
from midair.demo.stage import PROJECT


def test_the_file_that_stays_is_that_of_the_project(tmp_path):
    (tmp_path / "compose.yaml").write_text(Scenery().compose(8001, 8002, 8003))
    for name in ("web", "api", "ledger"):
        (tmp_path / name).mkdir()
    assert load_project(cwd=tmp_path).name == PROJECT, "midair up would start another project, without a free port"


def test_it_is_said_how_to_go_on_and_how_to_end(tmp_path):
    text = "\n".join(what_stays(tmp_path, tmp_path / "state"))
    assert f"cd {tmp_path} && export MIDAIR_HOME={tmp_path}/state" in text
    assert f"midair down && midair daemon stop && rm -r {tmp_path}" in text
