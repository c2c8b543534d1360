"""Plans as people read them. The name of a test is the name of its file in goldens/."""

from msgspec.structs import replace

from midair import plan
from midair.model.plan import LiveService
from midair.model.project import Dependency, Drain, Hold, Port, Restart, Strategy, StrategyStep, Update


def show(*lines):
    return "\n\n".join(lines)


def test_golden_first_up(web, db, project, golden):
    shop = project(replace(web, depends_on={"db": Dependency("service_healthy")}), db)
    golden(plan.render(plan.build(None, shop, {"web": "5ca1ab1e"})[0]))


def test_golden_nothing_to_do(web, db, project, applied, golden):
    same, _ = plan.build(applied(web, db, web="5ca1ab1e"), project(web, db), {"web": "5ca1ab1e"})
    golden(plan.render(same))


def test_golden_repeated_warnings_are_counted(web, project, applied, golden):
    plain = replace(web, healthcheck=None, user="app", fields={**web.fields, "cap_add": ["SYS_TIME"]})
    first, after = plan.build(None, project(plain), {"web": "5ca1ab1e"})
    hasty = replace(plain, stop_grace_s=40)
    live = {"web": LiveService(replicas=3, ready=2)}
    second, _ = plan.build(after, project(replace(hasty, replicas=2)), {"web": "0ddba11"}, live)
    second = plan.with_repeated(second, [first])
    kept, _ = plan.build(after, project(plain), {"web": "5ca1ab1e"}, live)
    golden(
        show(
            plan.render(first),
            plan.render(second, repeated=False),
            plan.render(second),
            plan.render(plan.with_repeated(kept, [first, second]), repeated=False),
        )
    )


def test_golden_code_environment_and_count(web, project, applied, golden):
    changed = replace(web, environment={"LOG_LEVEL": "debug", "REGION": "north"}, replicas=5)
    golden(plan.render(plan.build(applied(web, web="5ca1ab1e"), project(changed), {"web": "0ddba11"})[0]))


def test_golden_live_settings(web, project, applied, golden):
    fields = {
        **web.fields,
        "deploy": {"update_config": {"parallelism": 2, "monitor": "10s"}},
        "stop_grace_period": "20s",
        "healthcheck": {"test": ["CMD", "curl", "-u", "admin:hunter2", "localhost"], "interval": "5s"},
        "labels": {"team": "shop"},
    }
    changed = replace(
        web, fields=fields, update=Update(parallelism=2), drain=Drain(60), extension={"drain": {"timeout": "60s"}}
    )
    golden(plan.render(plan.build(applied(web), project(changed), {})[0]))


def test_golden_single_replica_with_volume(db, project, applied, golden):
    changed = replace(db, environment={"CACHE": "1"}, ports=(Port(5432, 5432, protocol="tcp"),))
    before = replace(db, ports=changed.ports)
    golden(plan.render(plan.build(applied(before), project(changed), {})[0]))


def test_golden_gap_longer_than_hold(db, project, applied, golden):
    before = replace(db, ports=(Port(5432, 5432, protocol="tcp"),), stop_grace_s=90, hold=Hold(30))
    golden(plan.render(plan.build(applied(before), project(replace(before, command=("database", "-v"))), {})[0]))


def test_golden_several_services_and_a_removal(web, db, project, applied, golden):
    worker = replace(web, name="worker", ports=(), fields={}, replicas=2, depends_on={"db": Dependency()})
    front = replace(web, depends_on={"worker": Dependency(), "db": Dependency()})
    mail = replace(
        web, name="mail", ports=(Port(25, 25, protocol="tcp"),), fields={}, depends_on={"queue": Dependency()}
    )
    queue = replace(worker, name="queue", depends_on={})
    before = applied(front, worker, mail, queue, db)
    after = project(replace(front, user="app"), replace(worker, working_dir="/srv/work"), replace(db, user="db"))
    golden(plan.render(plan.build(before, after, {})[0]))


def test_golden_scale_then_up_with_the_same_file(web, project, applied, golden):
    before = applied(web)
    scaled = plan.scaled(before, "web", 6)
    same, after = plan.build(scaled, project(web), {})
    changed, _ = plan.build(after, project(replace(web, replicas=4)), {})
    golden(show(plan.render(plan.between(before, scaled)), plan.render(same), plan.render(changed)))


def test_golden_undo_needs_no_file(web, applied, golden):
    old, new = applied(web, web="5ca1ab1e"), applied(replace(web, user="app"), web="0ddba11")
    golden(plan.render(plan.between(new, old)))


def test_golden_undo_comes_back_at_once(web, applied, golden):
    careful = replace(
        web,
        replicas=4,
        strategy=Strategy(kind="canary", steps=(StrategyStep(weight=10), StrategyStep(pause_s=60.0))),
    )
    paced = replace(web, replicas=4, fields={**web.fields, "deploy": {"rollback_config": {"parallelism": 1}}})
    stop_first = replace(web, replicas=4, update=replace(web.update, order="stop-first"))
    shown = []
    for service in (careful, paced, stop_first):
        old, new = applied(service, web="5ca1ab1e"), applied(replace(service, user="app"), web="0ddba11")
        shown.append(plan.render(plan.between(new, old, returns={"web"})))
    golden(show(*shown))


def test_golden_restart(web, db, applied, golden):
    job = replace(db, name="migrate", restart=Restart("none"), writable_volume=False, ports=())
    state = applied(replace(web, depends_on={"db": Dependency()}), db, job)
    known = {"migrate": LiveService(done=(state.revisions["migrate"].id,))}
    shown = plan.between(state, state, known, restarts={"web", "db"})
    golden(show(plan.render(shown), plan.summary(shown)))


def test_golden_down(web, db, applied, golden):
    state = applied(replace(web, depends_on={"db": Dependency()}), db)
    golden(plan.render(plan.between(state, plan.emptied(state))))


def test_golden_jobs_run_once(web, db, applied, golden):
    """First, with another environment, and back to what has completed."""
    job = replace(db, name="migrate", restart=Restart("none"), writable_volume=False, ports=())
    after_it = replace(web, depends_on={"migrate": Dependency("service_completed_successfully")})
    other = replace(job, environment={"V": "2"})
    first, second = applied(after_it, job), applied(after_it, other)
    known = {"migrate": LiveService(done=(first.revisions["migrate"].id,))}
    plans = plan.between(None, first), plan.between(first, second), plan.between(second, first, known)
    golden("\n\n".join(plan.render(shown) for shown in plans))


def test_golden_restart_with_a_dependency(web, db, project, applied, golden):
    front = replace(web, depends_on={"db": Dependency(restart=True)})
    golden(plan.render(plan.build(applied(front, db), project(front, replace(db, user="db")), {})[0]))


def test_golden_unmodified_sample_on_plain_processes(web, db, project, golden):
    fields = {
        **web.fields,
        "container_name": "shop-web",
        "networks": {"default": None, "back": None},
        "cap_add": ["NET_ADMIN"],
        "deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "256M"}}},
        "logging": {"driver": "json-file"},
    }
    sample = replace(web, fields=fields, command=("flask", "run", "--port", "8000"), healthcheck=None)
    cache = replace(db, name="cache", image="redis:7", command=None, working_dir=None)
    golden(plan.render(plan.build(None, project(sample, cache), {})[0]))


def test_golden_same_change_on_every_runtime(web, applied, project, golden):
    texts = []
    for runtime in ("process", "docker", "swarm", "kubernetes"):
        before = replace(web, runtime=runtime, fields={**web.fields, "mem_limit": 1024, "stop_signal": "SIGINT"})
        after = replace(
            before, fields={**web.fields, "mem_limit": 2048, "stop_signal": "SIGTERM", "labels": {"a": "b"}}
        )
        texts.append(f"# {runtime}\n" + plan.render(plan.build(applied(before), project(after), {})[0]))
    golden(show(*texts))


def test_golden_port_moves(web, project, applied, golden):
    moved = replace(
        web, ports=(Port(9000, 8000),), fields={**web.fields, "ports": [{"target": 8000, "published": "9000"}]}
    )
    golden(plan.render(plan.build(applied(web), project(moved), {})[0]))


def test_golden_no_replica_left(web, applied, golden):
    before = applied(web)
    golden(plan.render(plan.between(before, plan.scaled(before, "web", 0))))


def test_golden_failing_service_is_tried_again(web, project, applied, golden):
    live = {"web": LiveService(replicas=3, failing=True, reason="web/0a1b2c3d/0 ended with exit code 3, five times")}
    golden(plan.render(plan.build(applied(web), project(web), {}, live)[0]))


def test_golden_another_runtime_is_refused(web, project, applied, golden):
    golden(plan.render(plan.build(applied(web), project(replace(web, runtime="docker", image="web")), {})[0]))


def test_golden_recreate_strategy(web, project, applied, golden):
    before = replace(web, strategy=Strategy("recreate"))
    golden(plan.render(plan.build(applied(before), project(replace(before, user="app")), {})[0]))


def test_golden_canary(web, project, applied, golden):
    steps = (
        StrategyStep(weight=10),
        StrategyStep(pause_s=120),
        StrategyStep(analysis="default"),
        StrategyStep(pause_s=-1),
    )
    before = replace(web, strategy=Strategy("canary", steps))
    golden(plan.render(plan.build(applied(before), project(replace(before, user="app")), {})[0]))


def test_golden_blue_green_with_a_volume(db, project, applied, golden):
    before = replace(db, strategy=Strategy("blue-green"))
    golden(plan.render(plan.build(applied(before), project(replace(before, user="db")), {})[0]))


def test_golden_only_the_services_asked_for(web, db, project, applied, golden):
    front = replace(web, depends_on={"db": Dependency()})
    other = replace(web, name="admin", ports=(), fields={})
    before = applied(front, db, other)
    after = project(replace(front, user="app"), replace(db, user="db"), replace(other, user="app"))
    golden(plan.render(plan.build(before, after, {}, only=("web",))[0]))


def test_golden_data_of_its_own(web, project, applied, golden):
    before = replace(web, runtime="docker", image="app", build=None, fields={})
    live = {"web": LiveService(3, 3, own_volumes=("/data", "/state"))}
    golden(plan.render(plan.build(applied(before), project(replace(before, user="app")), {}, live)[0]))
