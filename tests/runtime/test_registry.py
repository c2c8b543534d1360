"""Runtimes are found by name, and loaded only when they are asked for."""

import subprocess
import sys
import time

import pytest

from midair.errors import PlanRefused, RuntimeTrouble
from midair.runtime.registry import make_runtime


def test_a_runtime_is_made_by_name(tmp_path):
    assert make_runtime("process", "shop", tmp_path, time.time).name == "process"


def test_an_unknown_runtime_is_named_with_those_there_are(tmp_path):
    with pytest.raises(PlanRefused, match='"swarm"') as caught:
        make_runtime("swarm", "shop", tmp_path, time.time)
    assert caught.value.hint == "choose one of docker, process"


def test_the_registry_loads_no_back_end():
    loaded = "import sys, midair.runtime.registry; print([name for name in sys.modules if 'runtime.process' in name])"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "[]\n"


def test_missing_extra_is_named_with_its_installation(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    for name in [name for name in sys.modules if name.startswith("midair.runtime.docker")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeTrouble, match="cannot use Docker: midair was installed without it") as caught:
        make_runtime("docker", "shop", tmp_path, time.time)
    assert "pip install 'midair[docker]'" in caught.value.hint
