"""Turns the results of probes into a verdict on a replica, and says when to ask again. No I/O, no clock.

A `healthcheck` is judged as Docker judges it: after its start period, `retries` failures in a row, an interval apart,
make it unhealthy. But it is asked sooner than that while it has not succeeded yet, so that nobody waits for a replica
that is ready: an early failure counts for nothing. A `ready` check never gives up on a replica that is starting; the
rollout's progress deadline does. A starting replica is asked often at first and less often the longer it takes, so that
what is lost between two questions stays a small share of what the start took anyway.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from midair.model.moment import Moment, Span
from midair.model.project import HealthCheck, Ready, Service

Verdict = Literal["starting", "ready", "unhealthy"]
Kind = Literal["healthcheck", "ready", "listening", "running"]

_EARLY_S = 1.0  # at most this long between two questions to a replica that has not succeeded yet
_EARLY_SHARE = 8  # and at most this part of the time that it has had
_SOON_S, _SOON_COMMAND_S = 0.02, 0.1  # but no sooner than that; a command is dearer than a connection
_FRESH_S = 60.0  # a replica that became ready this recently is asked often
_FRESH_INTERVAL_S, _SETTLED_INTERVAL_S = 1.0, 5.0


class Judge(msgspec.Struct, frozen=True):
    """What is thought of one check of one replica."""

    kind: Kind
    check: HealthCheck | Ready
    began: Moment
    verdict: Verdict = "starting"
    passed_at: Moment | None = None
    failures: int = 0  # in a row, as far as they count
    counted_at: Moment | None = None  # the last failure that counted
    text: str = ""  # of the last failure


def checks_of(service: Service) -> list[tuple[Kind, HealthCheck | Ready]]:
    """What a replica of the service is asked. There is always something."""
    checks: list[tuple[Kind, HealthCheck | Ready]] = []
    if service.healthcheck is not None and service.healthcheck.test[:1] not in ((), ("NONE",)):
        checks.append(("healthcheck", service.healthcheck))
    if service.ready is not None:
        checks.append(("ready", service.ready))
    if checks:
        return checks
    listens = any(port.protocol != "udp" for port in service.ports)
    return [("listening", Ready(tcp=True, interval_s=0.1)) if listens else ("running", Ready(interval_s=0.02))]


def judges_of(service: Service, now: Moment, *, passed_at: Moment | None, verdict: Verdict) -> tuple[Judge, ...]:
    """One judge per check of a service. An adopted replica keeps the verdict it had."""
    return tuple(Judge(kind, check, now, verdict=verdict, passed_at=passed_at) for kind, check in checks_of(service))


def judged(judge: Judge, passed: bool, text: str, now: Moment) -> Judge:
    """What is thought after one more probe."""
    if passed:
        first = now if judge.passed_at is None else judge.passed_at
        return replace(judge, verdict="ready", passed_at=first, failures=0, counted_at=None, text="")
    if isinstance(judge.check, Ready):
        failures = judge.failures + 1
        gave_up = judge.verdict == "ready" and failures >= judge.check.retries
        return replace(judge, verdict="unhealthy" if gave_up else judge.verdict, failures=failures, text=text)
    if not _counts(judge, judge.check, now):
        return replace(judge, text=text)
    failures = judge.failures + 1
    verdict: Verdict = "unhealthy" if failures >= judge.check.retries else judge.verdict
    return replace(judge, verdict=verdict, failures=failures, counted_at=now, text=text)


def wait_s(judge: Judge, now: Moment) -> Span | None:
    """Seconds until the next probe; None: it need not be asked again."""
    check = judge.check
    if judge.kind in ("listening", "running") and judge.verdict == "ready":
        return None  # its end is noticed without asking, and the router notices when it stops answering
    if judge.verdict == "starting":
        return _early_s(check, now - judge.began)
    if isinstance(check, HealthCheck):
        return check.interval_s
    if judge.verdict != "ready" or judge.failures:
        return check.interval_s
    fresh = judge.passed_at is not None and now - judge.passed_at < _FRESH_S
    return max(check.interval_s, _FRESH_INTERVAL_S if fresh else _SETTLED_INTERVAL_S)


def _early_s(check: HealthCheck | Ready, age: Span) -> Span:
    """Seconds until a replica that has been starting for so long is asked again."""
    if isinstance(check, HealthCheck):
        return min(check.interval_s, check.start_interval_s, _EARLY_S, max(_SOON_COMMAND_S, age / _EARLY_SHARE))
    if check.interval_s > _EARLY_S:
        return check.interval_s  # somebody wants it to be asked seldom
    return min(check.interval_s, max(_SOON_COMMAND_S if check.command else _SOON_S, age / _EARLY_SHARE))


def verdict_of(judges: tuple[Judge, ...]) -> tuple[Verdict, str]:
    """The verdict on the replica, and why."""
    text = next((judge.text for judge in judges if judge.text), "")
    if any(judge.verdict == "unhealthy" for judge in judges):
        return "unhealthy", text
    if all(judge.verdict == "ready" for judge in judges):
        return "ready", ""
    return "starting", text


def _counts(judge: Judge, check: HealthCheck, now: Moment) -> bool:
    if judge.passed_at is None and now - judge.began < check.start_period_s:
        return False
    last = judge.counted_at if judge.counted_at is not None else judge.began
    return judge.verdict == "ready" or now - last >= check.interval_s
