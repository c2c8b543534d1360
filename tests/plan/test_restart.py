"""Which services a restart is about."""

from msgspec.structs import replace

from midair.model.project import Dependency
from midair.plan import restarted


def test_restart_without_names_leaves_completed_jobs_alone(web, db):
    job = replace(db, name="migrate")
    services = {"web": web, "migrate": job}
    assert restarted(services, (), {"migrate"}) == {"web"}
    assert restarted(services, ("migrate",), {"migrate"}) == {"migrate"}


def test_restart_takes_dependents_that_ask_for_it(web, db):
    services = {"web": replace(web, depends_on={"db": Dependency(restart=True)}), "db": db}
    assert restarted(services, ("db",), set()) == {"db", "web"}
    assert restarted({**services, "web": replace(web, depends_on={"db": Dependency()})}, ("db",), set()) == {"db"}


def test_restart_passes_over_services_without_replicas(web):
    assert restarted({"web": replace(web, replicas=0)}, ("web",), set()) == frozenset()
