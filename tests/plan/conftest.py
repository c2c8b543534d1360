"""Services to plan with, and texts to compare a plan with (MIDAIR_GOLDEN=rewrite writes them again)."""

import os
from pathlib import Path

import pytest

from midair import plan
from midair.model.project import Build, HealthCheck, Port, Project, Service

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(scope="session")
def web():
    """Three replicas of a web application with a snapshot of its code and a health check."""
    return Service(
        "web",
        replicas=3,
        build=Build("/srv/shop/web"),
        command=("uvicorn", "app:app", "--port", "$PORT"),
        environment={"LOG_LEVEL": "info"},
        ports=(Port(8000, 8000),),
        healthcheck=HealthCheck(("CMD", "true")),
        fields={"build": {"context": "/srv/shop/web"}, "ports": [{"target": 8000, "published": "8000"}]},
    )


@pytest.fixture(scope="session")
def db():
    """One replica that writes to a volume and runs in a folder as it is."""
    return Service("db", command=("database",), working_dir="/srv/shop/db", writable_volume=True)


@pytest.fixture(scope="session")
def project():
    """A project of these services."""

    def of(*services):
        return Project("shop", {service.name: service for service in services}, shell={"PATH": "/bin"})

    return of


@pytest.fixture(scope="session")
def applied(project):
    """The state after a first `up` of these services."""

    def after(*services, **releases):
        return plan.build(None, project(*services), releases)[1]

    return after


@pytest.fixture
def golden(request):
    """Compare a text with the golden file that has the name of the test."""

    def compare(text):
        file = GOLDENS / f"{request.node.name.removeprefix('test_golden_')}.txt"
        if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
            file.parent.mkdir(exist_ok=True)
            file.write_text(text + "\n")
        assert text + "\n" == file.read_text(), f"{file.name} says otherwise; MIDAIR_GOLDEN=rewrite writes it again"

    return compare
