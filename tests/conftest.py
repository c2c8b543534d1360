"""What was going on is shown when a test with a place of its own failed."""

from contextlib import contextmanager

import pytest


@pytest.fixture
def living_in(request):
    """Keeps a place for one test: taken down afterwards, and nothing of it may be left."""

    @contextmanager
    def keep(place):
        request.node.artifacts = place.artifacts
        try:
            yield place
        finally:
            left = place.close()
        assert left == [], "processes were left behind"

    return keep


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and hasattr(item, "artifacts"):
        report.sections.append(("what was going on", item.artifacts()))
    return report
