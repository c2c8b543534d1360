"""What was going on is shown when a test with a place of its own failed."""

from contextlib import contextmanager

import hypothesis
import pytest

# A busy machine makes single examples slow, which says nothing about the code.
hypothesis.settings.register_profile("midair", deadline=None)
hypothesis.settings.load_profile("midair")


@pytest.fixture(scope="session", autouse=True)
def passable_folders(tmp_path_factory):
    """Let replicas of other users reach what they run below pytest's folders, wherever a worker has them."""
    base = tmp_path_factory.getbasetemp()
    for folder in (base, base.parent, base.parent.parent):
        if folder.owner() == base.owner() and folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o711)


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
