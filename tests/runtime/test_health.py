"""When a replica is thought ready or unhealthy, and how often it is asked. No process, no waiting."""

from itertools import pairwise

import pytest

from midair.model.project import HealthCheck, Port, Ready, Service
from midair.runtime.health import checks_of, judged, judges_of, verdict_of, wait_s

CHECK = HealthCheck(("CMD", "true"), interval_s=10, retries=3, start_period_s=20)


def judge_of(check, *, verdict="starting", passed_at=None, now=0.0):
    service = Service(name="web", **{"ready" if isinstance(check, Ready) else "healthcheck": check})
    (judge,) = judges_of(service, now, passed_at=passed_at, verdict=verdict)
    return judge


def failing(judge, *moments):
    for now in moments:
        judge = judged(judge, False, "no", now)
    return judge


def test_udp_only_service_is_ready_when_it_runs():
    udp, tcp = Port(53, 53, protocol="udp"), Port(80, 80)
    assert [kind for kind, _ in checks_of(Service(name="dns", ports=(udp,)))] == ["running"]
    assert [kind for kind, _ in checks_of(Service(name="dns", ports=(udp, tcp)))] == ["listening"]


def test_the_first_success_makes_a_replica_ready():
    judge = judged(judge_of(CHECK), True, "", 3.0)
    assert (judge.verdict, judge.passed_at) == ("ready", 3.0)
    assert verdict_of((judge,)) == ("ready", "")


def test_failures_within_the_start_period_do_not_count():
    assert failing(judge_of(CHECK), 1, 11, 19.9).verdict == "starting"


def test_after_the_start_period_as_many_failures_as_retries_make_it_unhealthy():
    judge = failing(judge_of(CHECK), 20, 30)
    assert judge.verdict == "starting"
    assert verdict_of((judge,)) == ("starting", "no")
    assert failing(judge, 40).verdict == "unhealthy"


def test_asking_early_never_makes_a_replica_fail_early():
    check = HealthCheck(("CMD", "true"), interval_s=10, retries=3)
    judge = judge_of(check)
    assert wait_s(judge, 60.0) == 1.0
    judge = failing(judge, *range(1, 30))
    assert judge.verdict == "starting"
    assert failing(judge, 30).verdict == "unhealthy"


def test_a_success_within_the_start_period_ends_it():
    judge = failing(judged(judge_of(CHECK), True, "", 1.0), 2, 3)
    assert judge.verdict == "ready"
    assert failing(judge, 4).verdict == "unhealthy"


def test_one_success_forgives_all_failures():
    judge = failing(judged(failing(judge_of(CHECK, verdict="ready", passed_at=0.0), 1, 2), True, "", 3), 4, 5)
    assert judge.verdict == "ready"


def test_an_unhealthy_replica_can_become_ready_again():
    assert judged(judge_of(CHECK, verdict="unhealthy", passed_at=0.0), True, "", 5).verdict == "ready"


def test_a_ready_check_never_gives_up_on_a_starting_replica():
    assert failing(judge_of(Ready(http="/")), *range(100)).verdict == "starting"


def test_a_ready_check_that_fails_in_a_row_makes_a_ready_replica_unhealthy():
    judge = failing(judge_of(Ready(http="/"), verdict="ready", passed_at=0.0), 1, 2)
    assert judge.verdict == "ready"
    assert failing(judge, 3).verdict == "unhealthy"


def test_a_replica_is_asked_less_often_once_it_has_settled_and_at_once_when_it_fails():
    judge = judged(judge_of(Ready(http="/")), True, "", 0.0)
    assert wait_s(judge, 1.0) == 1.0
    assert wait_s(judge, 100.0) == 5.0
    assert wait_s(failing(judge, 100.0), 100.0) == 0.25


def test_an_interval_that_was_asked_for_is_never_undercut():
    judge = judged(judge_of(Ready(http="/", interval_s=7.0)), True, "", 0.0)
    assert wait_s(judge, 1.0) == 7.0
    assert wait_s(judged(judge_of(CHECK), True, "", 0.0), 1.0) == 10


@pytest.mark.parametrize("check", [Ready(http="/"), Ready(command=("true",)), HealthCheck(("CMD", "true"))])
def test_what_is_lost_between_two_questions_is_a_small_share_of_a_start(check):
    judge, asked = judge_of(check), [0.0]
    while asked[-1] < 30:
        asked.append(asked[-1] + wait_s(judge, asked[-1]))
    limit = 0.25 if isinstance(check, Ready) else 1.0
    assert all(after - before < min(limit, max(0.1, before / 8)) + 1e-9 for before, after in pairwise(asked))
    assert len(asked) < 30 / limit + 40, "asking must not cost more than starting"


def test_a_ready_check_that_is_to_be_asked_seldom_is_asked_seldom_from_the_beginning():
    assert wait_s(judge_of(Ready(http="/", interval_s=7.0)), 0.0) == 7.0


@pytest.mark.parametrize(("ports", "kind"), [((Port(80, 80),), "listening"), ((), "running")])
def test_without_checks_a_published_port_must_listen_and_is_then_left_alone(ports, kind):
    for disabled in (None, HealthCheck(("NONE",))):
        (judge,) = judges_of(
            Service(name="web", ports=ports, healthcheck=disabled), 0.0, passed_at=None, verdict="starting"
        )
        assert judge.kind == kind
        assert wait_s(judge, 0.0) is not None
        assert wait_s(judged(judge, True, "", 1.0), 1.0) is None


def test_a_replica_is_ready_when_all_its_checks_say_so_and_unhealthy_when_one_does():
    service = Service(name="web", healthcheck=CHECK, ready=Ready(tcp=True))
    first, second = judges_of(service, 0.0, passed_at=None, verdict="starting")
    first = judged(first, True, "", 1.0)
    assert verdict_of((first, second))[0] == "starting"
    second = judged(second, True, "", 2.0)
    assert verdict_of((first, second))[0] == "ready"
    assert verdict_of((failing(first, 3, 4, 5), second)) == ("unhealthy", "no")


def test_an_adopted_replica_keeps_its_verdict():
    judge = judge_of(CHECK, verdict="ready", passed_at=5.0, now=1000.0)
    assert verdict_of((judge,)) == ("ready", "")
