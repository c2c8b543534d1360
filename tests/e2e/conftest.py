"""A place for each test, taken down afterwards; what it was like is shown when the test failed."""

import pytest
from tests.e2e.place import Place


@pytest.fixture
def place(tmp_path, request):
    made = Place(tmp_path)
    request.node.place = made
    try:
        yield made
    finally:
        left = made.close()
    assert left == [], "processes were left behind"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    place = getattr(item, "place", None)
    if report.failed and place is not None:
        report.sections.append(("what was going on", place.artifacts()))
    return report
