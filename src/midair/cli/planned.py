"""A plan on the way to becoming a change: shown, refused, or agreed to."""

import sys

import click
import msgspec

from midair import errors
from midair.cli import out
from midair.model.plan import Plan
from midair.plan.render import DONE, render

_COLOURS = {
    "add": "green", "live": "green", "reload": "cyan", "resize": "cyan", "replace": "yellow", "recreate": "magenta",
    "remove": "red", "refuse": "red",
}  # fmt: skip
_NOTES = {"drift:": "cyan", "note:": "cyan", "warning:": "yellow", "confirm:": "magenta", "refused:": "red"}


def show(plan: Plan, *, repeated: bool = True) -> None:
    """The plan, with its classes in colour on a terminal. `repeated`: with what an earlier change has shown already."""
    shown = msgspec.structs.replace(plan, steps=()) if plan.is_empty else plan  # "keep, keep, keep" says too little
    for line in render(shown, repeated=repeated).splitlines():
        out.say(_painted(line))
    if plan.is_empty and plan.steps:
        done = [step.service for step in plan.steps if step.job == "done"]
        out.say(f"{out.count(len(plan.steps), 'service')} as wanted" + (f"; {', '.join(done)}: {DONE}" if done else ""))


def _painted(line: str) -> str:
    first, _, rest = line.partition(" ")
    if first in _NOTES:
        return f"{click.style(first, fg=_NOTES[first])} {rest}"
    for word in line.split()[1:3]:
        if word in _COLOURS:
            return line.replace(f" {word}", f" {click.style(word, fg=_COLOURS[word])}", 1)
    return line


def agreed(plan: Plan, *, yes: bool, as_json: bool, repeated: bool = True) -> bool:
    """Show a plan that is to be carried out, and say whether somebody agreed to what users would notice."""
    if as_json:
        out.json_line({"type": "plan", "plan": plan})
    else:
        show(plan, repeated=repeated)
        if not plan.is_empty:
            out.say()
    return _check(plan, yes=yes)


def _check(plan: Plan, *, yes: bool) -> bool:
    """Whether somebody agreed to what users would notice. Raises when the plan cannot be carried out like this."""
    if plan.refusals:
        raise errors.PlanRefused(
            "\n".join(f"cannot apply the plan: {text}" for text in plan.refusals),
            hint="change the file and look at the plan again; nothing was touched",
        )
    if not plan.confirmations:
        return False
    effects = len(plan.confirmations)
    needs = "needs" if effects == 1 else "need"
    agree("apply the plan", f"{out.count(effects, 'user-visible effect')} {needs} confirmation", yes=yes)
    return True


def agree(doing: str, what: str, *, yes: bool) -> None:
    """Ask for a yes, unless it was given. Raises NeedsConfirmation when there is none."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise errors.NeedsConfirmation(f"cannot {doing}: {what}", hint="pass --yes")
    if not click.confirm(f"{what[0].upper()}{what[1:]}. Go on?", err=True):
        raise errors.NeedsConfirmation(f"cannot {doing}: the answer was no", hint="pass --yes; nothing was touched")
