"""What users got during a change: which share of the answers said that the server had failed."""

from midair.model.change import Answers, Change
from midair.model.event import Failures

_WORSE_ANSWERS = 100  # fewer say little
_WORSE_SHARE = 0.01


def failures_of(change: Change) -> tuple[Failures, ...]:
    """For each service that the change touches, and whose new revision has answered with a status."""
    touched = change.plan.touched if change.plan else ()
    before = {answers.service: answers for answers in change.answers_before}
    base = {answers.service: answers for answers in change.answers_base}
    return tuple(
        _failures(since, before.get(answers.service))
        for answers in change.answers_after
        if answers.service in touched and (since := _since(answers, base.get(answers.service))).total
    )


def failures_text(failures: tuple[Failures, ...]) -> str:
    """`5xx 0.0 % → 20.7 % ▲`; with several services only those that failed are named."""
    if not failures:
        return ""
    if len(failures) == 1:
        return _text(failures[0])
    named = [f"{each.service} {_text(each)}" for each in failures if each.after or each.before]
    return ", ".join(named) or _text(failures[0])


def _since(answers: Answers, base: Answers | None) -> Answers:
    if base is None or answers.total < base.total:  # other counts, which began at 0
        return answers
    return Answers(answers.service, answers.total - base.total, answers.failed - base.failed)


def _failures(after: Answers, before: Answers | None) -> Failures:
    share = after.failed / after.total
    share_before = before.failed / before.total if before is not None and before.total else None
    is_worse = after.total >= _WORSE_ANSWERS and share > _WORSE_SHARE and share >= 2 * (share_before or 0.0)
    return Failures(after.service, share, after.total, share_before, is_worse)


def _text(failures: Failures) -> str:
    text = _percent(failures.after)
    if failures.before is not None and (failures.before or failures.after):
        text = f"{_percent(failures.before)} → {text}"
    return f"5xx {text} ▲" if failures.is_worse else f"5xx {text}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
