"""What the docker command's configuration says about a registry, as requests to the engine carry it."""

import base64
import json

import pytest

from midair.runtime.docker.images import span_of
from midair.runtime.docker.registry import auth_of


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"identitytoken": "t0ken", "auth": "PHRva2VuPjo="}, {"identitytoken": "t0ken"}),
        ({"auth": base64.b64encode(b"jane:a:b").decode()}, {"username": "jane", "password": "a:b"}),
    ],
)
def test_stored_login_is_carried(tmp_path, monkeypatch, entry, expected):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r.example": entry}}))
    assert auth_of("r.example/web") == {**expected, "serveraddress": "r.example"}


@pytest.mark.parametrize("damaged", ["/w==", "a", "%%%"])
def test_damaged_login_counts_as_none(tmp_path, monkeypatch, damaged):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r.example": {"auth": damaged}}}))
    assert auth_of("r.example/web") in (None, {"username": "", "password": "", "serveraddress": "r.example"})


@pytest.mark.parametrize(
    ("text", "seconds"), [("1d12h", 129600), ("12h1d", 129600), ("2w", 1209600), ("90s", 90), ("1w2d3h4m5s", 788645)]
)
def test_pull_interval_may_have_several_units(text, seconds):
    assert span_of(text) == seconds
