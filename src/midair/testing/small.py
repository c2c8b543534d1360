"""Small scenarios for the exhaustive search: every placement of up to two faults in each of them."""

from midair.model.project import Dependency, Restart, Update
from midair.testing.body import Quality
from midair.testing.choose import Placed
from midair.testing.play import Play
from midair.testing.scenario import Ask, Scenario, applied, limited, service_of
from midair.testing.world import TOO_LITTLE

CALM_UPDATE = Update(monitor_s=1.0)


def exchange(replicas: int, update: Update, quality: Quality = "good") -> Scenario:
    """One service goes from a good revision to another one."""
    web = service_of("web", replicas, update, CALM_UPDATE)
    before, after = applied({"web": (web, "old")}), applied({"web": (web, "new")})
    return Scenario(["web"], {"old": "good", "new": quality}, [Ask(0.0, before), Ask(5.0, after)])


def _two_services(quality: Quality) -> Scenario:
    """Two services, one after the other; the second may fail."""
    db = service_of("db", 1, CALM_UPDATE, CALM_UPDATE)
    web = service_of("web", 1, CALM_UPDATE, CALM_UPDATE, depends_on={"db": Dependency("service_healthy")})
    before = applied({"db": (db, "db1"), "web": (web, "web1")})
    after = applied({"db": (db, "db2"), "web": (web, "web2")})
    qualities: dict[str, Quality] = {"db1": "good", "web1": "good", "db2": "good", "web2": quality}
    return Scenario(["db", "web"], qualities, [Ask(0.0, before), Ask(8.0, after)])


def _superseded() -> Scenario:
    """A second change in the middle of the first one."""
    web = service_of("web", 1, CALM_UPDATE, CALM_UPDATE)
    states = [applied({"web": (web, name)}) for name in ("one", "two", "three")]
    asks = [Ask(0.0, states[0]), Ask(5.0, states[1]), Ask(0.7, states[2])]
    return Scenario(["web"], {"one": "good", "two": "good", "three": "good"}, asks)


def _job() -> Scenario:
    """A one-shot that ends well, without ports."""
    job = service_of("job", 1, CALM_UPDATE, CALM_UPDATE, ports=(), restart=Restart("on-failure"))
    return Scenario(["job"], {"one": "job", "two": "job"}, [Ask(0.0, applied({"job": (job, "one")}))])


def _migration(quality: Quality) -> Scenario:
    """A one-shot before a service; both change, and the service fails."""
    job = service_of("job", 1, CALM_UPDATE, CALM_UPDATE, ports=(), restart=Restart("none"))
    awaited = {"job": Dependency("service_completed_successfully")}
    web = service_of("web", 1, CALM_UPDATE, CALM_UPDATE, depends_on=awaited)
    states = [applied({"job": (job, f"job-{one}"), "web": (web, f"web-{one}")}) for one in ("old", "new")]
    good: dict[str, Quality] = {"job-old": "job", "job-new": "job", "web-old": "good", "web-new": quality}
    return Scenario(["job", "web"], good, [Ask(0.0, states[0]), Ask(5.0, states[1])])


def _limits(after: str) -> Scenario:
    """Nothing changes but a limit, which is taken in place or refused."""
    state = applied({"web": (service_of("web", 2, CALM_UPDATE, CALM_UPDATE), "old")})
    asks = [Ask(0.0, limited(state, {"web": "64m"})), Ask(5.0, limited(state, {"web": after}))]
    return Scenario(["web"], {"old": "good"}, asks)


def _taken_over(quality: Quality) -> Scenario:
    """A service that something else started, and whose port it has."""
    web = service_of("web", 1, CALM_UPDATE, CALM_UPDATE)
    return Scenario(["web"], {"new": quality}, [Ask(0.0, applied({"web": (web, "new")}))], {"web": 1})


STOP_FIRST = Update(monitor_s=1.0, order="stop-first")
SMALL: dict[str, Scenario] = {
    "one replica, start-first": exchange(1, CALM_UPDATE),
    "one replica, stop-first": exchange(1, STOP_FIRST),
    "one replica that dies": exchange(1, CALM_UPDATE, "dies"),
    "one replica that never starts, stop-first": exchange(1, STOP_FIRST, "exits"),
    "two replicas, one at a time": exchange(2, CALM_UPDATE),
    "two services": _two_services("good"),
    "two services, the second fails": _two_services("sick"),
    "a second change in the middle": _superseded(),
    "a one-shot": _job(),
    "a migration whose service fails": _migration("sick"),
    "another limit": _limits("128m"),
    "a limit that is refused": _limits(TOO_LITTLE),
    "a port that is taken over": _taken_over("good"),
    "a port that is to be taken over by one that dies": _taken_over("dies"),
}


def play_small(name: str, chooser: Placed) -> None:
    """One run of a small scenario, with faults only in the change of what runs. Raises Violation."""
    play = Play(SMALL[name], chooser)
    if len(play.asks) > 1:
        chooser.armed = False
        play.begin_well()
        chooser.armed = True
    play.run(disturb=True)
