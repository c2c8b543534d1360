"""A ground for each test, taken down afterwards; what it was like is shown when the test failed."""

import pytest
from tests.proof.ground import Ground


@pytest.fixture
def ground(tmp_path, request):
    made = Ground(tmp_path)
    request.node.ground = made
    try:
        yield made
    finally:
        left = made.close()
    assert left == [], "processes were left behind"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    ground = getattr(item, "ground", None)
    if report.failed and ground is not None:
        report.sections.append(("what was going on", ground.artifacts()))
    return report
