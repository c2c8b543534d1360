"""A plan in a few words, for the history: "web: code, env COLOUR; api added"."""

from midair.model.plan import Plan, PlanStep

MOST = 4  # services, and fields of a service, before the rest is only counted
_WORDS = {"add": "added", "change": "changed", "remove": "removed"}
_SHORT = {"build (code)": "code", "deploy.replicas": "replicas", "x-midair": "settings"}
_PREFIXES = {
    "environment.": "env ",
    "deploy.resources.": "",
    "labels.": "label ",
    "configs.": "config ",
    "secrets.": "secret ",
}


def summary(plan: Plan, folder: str = "", now_in: str = "") -> str:
    """What a plan changes, by service; names of fields, never values. `folder`: of the project before, if it moves."""
    parts = [_step(step) for step in plan.steps if step.kind in _WORDS]
    parts += [f"flag {text}" for text in plan.flags]
    moved = f"moved to {now_in}" if folder and now_in != folder else "no difference"
    return _listed(parts, "; ") or moved


def _step(step: PlanStep) -> str:
    fields = list(dict.fromkeys(_field(change.path) for change in step.changes))
    if step.restarts and len(step.changes) == 1:
        return f"{step.service} restarted"
    if step.kind != "change" or not fields:
        return f"{step.service} {_WORDS[step.kind]}"
    return f"{step.service}: {_listed(fields, ', ')}"


def _field(path: str) -> str:
    for prefix, word in _PREFIXES.items():
        if path.startswith(prefix):
            return word + path.removeprefix(prefix)
    return _SHORT.get(path, path)


def _listed(parts: list[str], between: str) -> str:
    rest = f" and {len(parts) - MOST} more" if len(parts) > MOST else ""
    return between.join(parts[:MOST]) + rest
