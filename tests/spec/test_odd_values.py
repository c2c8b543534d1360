"""A value of the wrong kind anywhere in a file: it is read or refused, and a plan can be made from what was read."""

import json

import pytest

from midair.errors import FileRefused
from midair.model.ids import replica_id
from midair.plan import build, render, revision_of
from midair.runtime.docker.translate import Placement, create_body
from midair.spec import load
from midair.spec.table.project import PROJECT
from midair.spec.table.service import SERVICE

ODD = (None, "", [], [None], [""], [{}], {"k": None}, 0, 1.5, True, "x", "1", "0s")
GOOD = {
    "source": "k", "target": "/t", "type": "volume", "path": "p", "service": "other", "command": "c", "soft": 1,
    "hard": 1, "action": "restart", "model": "m", "rate": 1, "weight": 1, "capabilities": ["gpu"],
}  # fmt: skip
# What a place needs around it to be read at all, by the end of its path.
BESIDE = {
    "services.k": {"image": "x", "build": {"context": "."}, "stop_signal": "INT"},
    "ports[]": {"target": 80},
    "ready": {"tcp": True},
    "rollout": {"strategy": "canary"},
    "secrets.k": {"file": "k"},
    "configs.k": {"file": "k"},
}
REST = {
    "services": {"web": {"image": "x"}, "other": {"image": "x"}},
    "models": {"k": {"model": "m"}},
    **{section: {"k": {}} for section in ("networks", "volumes")},
    **{section: {"k": {"file": "k"}} for section in ("secrets", "configs")},
}


def spots(shape, path=""):
    """Each place in a shape, and a function that puts a value there."""
    yield path, lambda odd: odd
    for other in shape.others:
        yield from spots(other, path)
    for name, field in shape.fields.items():
        beside = {key: GOOD[key] for key in shape.required if key != name}
        beside |= next((more for end, more in BESIDE.items() if path.endswith(end)), {})
        beside.pop(name, None)
        for place, put in spots(field, f"{path}.{name}"):
            yield place, lambda odd, put=put, name=name, beside=beside: {**beside, name: put(odd)}
    if shape.item is not None:
        for place, put in spots(shape.item, f"{path}.k" if shape.kind == "dict" else f"{path}[]"):
            yield place, lambda odd, put=put: {"k": put(odd)} if shape.kind == "dict" else [put(odd)]


SPOTS = dict(spots(PROJECT))


def outcome(*files):
    texts = {f"/srv/{index}.yaml": json.dumps(each) for index, each in enumerate(files)}

    def read(path):
        if path not in texts and path != "/srv/p":
            raise FileNotFoundError(2, "No such file or directory")
        return texts.get(path, "")

    try:
        return load(list(texts), read, {}, project_name="odd")
    except FileRefused as error:
        return error


def make_plan(project):
    plan, _ = build(None, project, {}, {})
    assert render(plan)
    for service in project.services.values():
        if service.runtime == "docker" and not plan.refusals:
            replica = replica_id(service.name, "7f3a91c2", 0)
            create_body(revision_of(service, None), replica, Placement(project), attempt=1, number=1, image="x")
    return plan


def test_schema_has_many_spots():
    assert len(SPOTS) > 450


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
def test_odd_value_anywhere_is_read_or_refused(odd):
    for path, put in SPOTS.items():
        file = put(odd)
        result = outcome({**REST, **file} if isinstance(file, dict) else file)
        assert isinstance(result, FileRefused) or make_plan(result), path


@pytest.mark.parametrize("odd", ["x", "1"])
def test_field_without_value_changes_no_earlier_file(odd):
    for name, field in SERVICE.fields.items():
        first, over = ({"services": {"k": {"image": "x", name: value}}} for value in (odd, None))
        alone = outcome(first)
        if not field.whole and not isinstance(alone, FileRefused):
            assert outcome(first, over).fields == alone.fields, name
