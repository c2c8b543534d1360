"""`midair flag …`: feature flags, changed in flight."""

from difflib import get_close_matches
from typing import Any

import click

from midair import errors
from midair.cli import complete, out, when
from midair.cli.flag_read import read_definition, read_users
from midair.cli.group import Group
from midair.cli.session import Session, json_option, pass_session, project_option, who, why_option
from midair.model.moment import parse_span
from midair.view.ask import AskFlag, AskFlagUndo, AskMoves
from midair.view.change import ChangeView
from midair.view.flag import FlagView


@click.group(cls=Group, short_help="Change feature flags in flight")
def command() -> None:
    """Change feature flags in flight, for any OpenFeature client.

    \b
    Examples:
      midair flag on new-button                       # for everyone
      midair flag set new-button on=10                # for 10 % of users
      midair flag roll new-button --steps 1,5,10,25,50 --every 10m
      midair flag undo
    """


def change(session: Session, ask: AskFlag | AskFlagUndo, *, as_json: bool) -> None:
    """Ask for it, and say what came of it."""
    client = session.running()
    project = session.project(client)
    try:
        accepted = client.flag(project, ask) if isinstance(ask, AskFlag) else client.flag_undo(project, ask)
    except errors.NothingToDo:
        if as_json:
            out.json_line({"type": "nothing", "change": None})
        else:
            out.say("nothing to do: it is like that already")
        return
    said(accepted, as_json=as_json)


def said(accepted: ChangeView, *, as_json: bool) -> None:
    if as_json:
        out.json_line({"type": "change", "change": accepted})
        return
    for line in accepted.summary.split(", flag "):
        out.say(out.line("flag", line.removeprefix("flag "), colour="green"))
    out.note(f"change {accepted.id}; take it back with midair flag undo")


create_option = click.option("--create", is_flag=True, help="Create the flag if nobody has defined it.")


def _switch(act: Any, short: str, text: str) -> None:
    @command.command(name=act, short_help=short, help=text)
    @click.argument("key", metavar="FLAG", shell_complete=complete.flags)
    @why_option
    @project_option
    @json_option
    @pass_session
    def run(session: Session, key: str, why: str, as_json: bool) -> None:
        change(session, AskFlag(act=act, key=key, by=who(), why=why), as_json=as_json)


_switch("on", "For everyone", "Give the variant that is true to everyone. A flag that is not there yet is made.")
_switch("off", "For nobody", "Give the variant that is false to everyone. A flag that is not there yet is made.")
_switch(
    "kill", "Leave it to the code's default, at once", "Disable a flag: every reader falls back to its own default."
)
_switch("remove", "Take a flag out of the set", "Take a flag out of the set. Refused while other flags require it.")


@command.command(name="list", short_help="All flags: who gets what, since when, how often")
@project_option
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List all flags: who gets what, since when, and how often each was evaluated."""
    client = session.client()
    view = client.flags(session.project(client))
    if as_json:
        out.json_line(view)
        return
    if not view.flags:
        out.note("no flags yet; make one with midair flag on NAME, or name a file under x-midair.flags")
        return
    for line in out.table(("FLAG", "WHO GETS WHAT", "CHANGED", "BY", "SEEN"), map(_row, view.flags), right=("SEEN",)):
        out.say(line)
    if any(flag.uncounted for flag in view.flags):
        out.note(_UNCOUNTED)


_UNCOUNTED = "what clients of flagd's sync evaluate is not counted"


def _row(flag: FlagView) -> tuple[str, ...]:
    changed = when.stamp(flag.changed_at) if flag.changed_at is not None else ""
    seen = sum(flag.exposures.values())
    return flag.key, flag.told, changed, flag.changed_by, f"{seen:,}" if seen else ""


@command.command(short_help="One flag in full")
@click.argument("key", metavar="FLAG", shell_complete=complete.flags)
@project_option
@json_option
@pass_session
def get(session: Session, key: str, as_json: bool) -> None:
    """Show one flag: its definition, its ramp, and what clients have reported of it."""
    client = session.client()
    project = session.project(client)
    flags = {flag.key: flag for flag in client.flags(project).flags}
    flag = flags.get(key)
    if flag is None:
        near = get_close_matches(key, list(flags), n=1)
        hint = f'use "{near[0]}"' if near else "see midair flag list"
        raise errors.NotFound(f'cannot find flag "{key}": it is not in the set', hint=hint)
    if as_json:
        out.json_line(flag)
        return
    import json

    out.say(f"{flag.key}: {flag.told}")
    if flag.ramp is not None:
        due = "paused" if flag.ramp.due_at is None else f"next step {when.stamp(flag.ramp.due_at)}"
        out.say(f"ramp: {' → '.join(f'{step:g} %' for step in flag.ramp.steps)}, {due}")
    for name, number in {**flag.exposures, **{f"{code} (failed)": n for code, n in flag.misses.items()}}.items():
        out.say(f"seen: {name} {number:,} times")
    if flag.uncounted:
        out.say(_UNCOUNTED)
    out.say(json.dumps({**flag.definition, **({"x-midair": flag.extra} if flag.extra else {})}, indent=2))


@command.command(name="set", short_help="One variant for everyone, shares of users, or a whole definition")
@click.argument("key", metavar="FLAG", shell_complete=complete.flags)
@click.argument("values", metavar="[VARIANT | VARIANT=PERCENT...]", nargs=-1, shell_complete=complete.variants)
@create_option
@click.option("--from", "source", metavar="FILE", help="The definition, as flagd writes it (JSON or YAML; - is stdin).")
@click.option("--owner", metavar="NAME", help="Who looks after it.")
@click.option("--expires", metavar="DATE", help="When it should be gone.")
@why_option
@project_option
@json_option
@pass_session
def set_(
    session: Session, key: str, values: tuple[str, ...], create: bool, source: str | None, owner: str | None,
    expires: str | None, why: str, as_json: bool,
) -> None:  # fmt: skip
    """Set a flag to one variant for everyone, to shares of users, or to a whole definition.

    \b
    Examples:
      midair flag set theme dark
      midair flag set new-button on=10 --create
      midair flag set new-button --from new-button.json --owner web --expires 2027-01-31
    """
    extra = {name: value for name, value in (("owner", owner), ("expires", expires)) if value is not None}
    ask = AskFlag(act="define", key=key, extra=extra, by=who(), why=why)
    if values and (source or extra):
        raise errors.UsageRefused("cannot set both values and a definition", hint="do one after the other")
    if source:
        ask = AskFlag(act="define", key=key, definition=read_definition(source), extra=extra, by=who(), why=why)
    elif len(values) == 1 and "=" not in values[0]:
        ask = AskFlag(act="set", key=key, variant=values[0], create=create, by=who(), why=why)
    elif values:
        ask = AskFlag(act="share", key=key, shares=dict(map(_share, values)), create=create, by=who(), why=why)
    elif not extra:
        raise errors.UsageRefused(f'cannot set "{key}": nothing to set it to was given', hint="give a variant")
    change(session, ask, as_json=as_json)


def _share(text: str) -> tuple[str, float]:
    variant, _, percent = text.partition("=")
    try:
        return variant, float(percent.removesuffix("%"))
    except ValueError:
        raise errors.UsageRefused(f'cannot share out: should be like on=10, got "{text}"') from None


@command.command(short_help="Grow a share of users step by step")
@click.argument("key", metavar="FLAG", shell_complete=complete.flags)
@create_option
@click.option("--to", type=float, default=100.0, show_default=True, metavar="PERCENT", help="Where it ends.")
@click.option("--steps", default="1,5,10,25,50", show_default=True, metavar="LIST", help="Percent on the way.")
@click.option("--every", default="10m", show_default=True, metavar="TIME", help="Between steps.")
@click.option("--variant", metavar="NAME", help="What grows; by default the variant that is true.")
@click.option("--replace", is_flag=True, help="Also in the place of a rule.")
@click.option("--pause", "act", flag_value="pause", help="Stay at the present share.")
@click.option("--resume", "act", flag_value="resume", help="Go on, with the same users.")
@click.option("--abort", "act", flag_value="abort", help="Go back to the flag as it was before.")
@why_option
@project_option
@json_option
@pass_session
def roll(
    session: Session, key: str, create: bool, to: float, steps: str, every: str, variant: str | None, replace: bool,
    act: Any, why: str, as_json: bool,
) -> None:  # fmt: skip
    """Grow a share of users step by step. Each step only ever adds users.

    \b
    Examples:
      midair flag roll new-button --to 100 --steps 1,5,10,25,50 --every 10m
      midair flag roll new-button --pause
      midair flag roll new-button --abort
    """
    if act:
        change(session, AskFlag(act=act, key=key, by=who(), why=why), as_json=as_json)
        return
    parts = tuple(_percent(key, part) for part in steps.split(",") if part.strip())
    try:
        every_s = parse_span(every)
    except ValueError as error:
        raise errors.UsageRefused(f'cannot roll "{key}": {error}') from None
    ask = AskFlag(
        act="roll",
        key=key,
        to=to,
        steps=parts,
        every_s=every_s,
        variant=variant,
        replace=replace,
        create=create,
        by=who(),
        why=why,
    )
    change(session, ask, as_json=as_json)


def _percent(key: str, part: str) -> float:
    try:
        percent = float(part.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        wanted = 'should be percentages such as "1,5,25"'
        raise errors.UsageRefused(f'cannot roll "{key}": --steps {wanted}, got "{part.strip()}"')
    return percent


@command.command(short_help="Change a flag at a time to come")
@click.argument("key", metavar="FLAG", shell_complete=complete.flags)
@click.argument("values", metavar="[VARIANT | VARIANT=PERCENT...]", nargs=-1, shell_complete=complete.variants)
@click.option("--at", metavar="TIME", help="When, such as 2027-01-31T09:00:00Z.")
@click.option("--clear", is_flag=True, help="Drop all that is scheduled.")
@why_option
@project_option
@json_option
@pass_session
def schedule(
    session: Session, key: str, values: tuple[str, ...], at: str | None, clear: bool, why: str, as_json: bool
) -> None:
    """Change a flag at a time to come. Clients go by their own clocks, so nothing has to be running then.

    \b
    Examples:
      midair flag schedule sale on --at 2027-01-31T09:00:00Z
      midair flag schedule sale --clear
    """
    if clear:
        change(session, AskFlag(act="unschedule", key=key, by=who(), why=why), as_json=as_json)
        return
    if not at or not values:
        raise errors.UsageRefused(f'cannot schedule "{key}": a time and a variant are needed', hint="add --at TIME")
    single = len(values) == 1 and "=" not in values[0]
    ask = AskFlag(
        act="schedule", key=key, at=at, by=who(), why=why,
        variant=values[0] if single else None, shares={} if single else dict(map(_share, values)),
    )  # fmt: skip
    change(session, ask, as_json=as_json)


@command.command(short_help="Who changed what, when and why")
@click.argument("key", metavar="[FLAG]", default="", shell_complete=complete.flags)
@click.option(
    "-n", "--last", type=click.IntRange(min=0), default=20, show_default=True, metavar="COUNT", help="Only the newest."
)
@project_option
@json_option
@pass_session
def history(session: Session, key: str, last: int, as_json: bool) -> None:
    """List what changes did to flags (or to one of them): who, when and why; the newest first."""
    client = session.client()
    known = client.flag_history(session.project(client), key)
    found = known[:last]
    if as_json:
        out.json_line(found)
        return
    if not known:
        out.note("no changes of flags yet")
        return
    rows = [(str(one.change), when.stamp(one.at), one.by, line, one.why) for one in found for line in one.lines]
    for line in out.table(("CHANGE", "WHEN", "BY", "WHAT", "WHY"), rows, right=("CHANGE",)):
        out.say(line)


@command.command(short_help="Take the last change of flags back, and nothing else")
@click.argument("key", metavar="[FLAG]", default="", shell_complete=complete.flags)
@why_option
@project_option
@json_option
@pass_session
def undo(session: Session, key: str, why: str, as_json: bool) -> None:
    """Take the last change of flags (or of one flag) back, and nothing else; midair undo also brings code back."""
    change(session, AskFlagUndo(key=key, by=who(), why=why), as_json=as_json)


@command.command(short_help="What is allowed but unwise, and flags that outlived their use")
@click.option("--stale", is_flag=True, help="Only flags that have outlived their use.")
@click.option("--days", type=float, default=30.0, show_default=True, help="How long a flag may stay unused.")
@project_option
@json_option
@pass_session
def lint(session: Session, stale: bool, days: float, as_json: bool) -> None:
    """Name what is allowed but unwise, and flags that have outlived their use: expired, never seen, one-sided."""
    client = session.client()
    project = session.project(client)
    found = [*(() if stale else client.flag_lint(project)), *client.flag_stale(project, days)]
    if as_json:
        out.json_line(found)
        return
    for one in found:
        out.say(f"{one.flag or 'the set'}: {one.message} [{one.kind}]")
    if not found:
        out.note("nothing to remark")


@command.command(short_help="Another generation of fractional, for all flags")
@click.argument("version", type=click.Choice(["v2", "v3"]))
@click.option("--users", metavar="FILE", help="Known users, a targeting key or a context in JSON a line.")
@click.option("-y", "--yes", is_flag=True, help="Agree to users being moved.")
@why_option
@project_option
@json_option
@pass_session
def bucketing(session: Session, version: Any, users: str | None, yes: bool, why: str, as_json: bool) -> None:
    """Switch to another generation of fractional. Says first how many of the known users get something else."""
    client = session.running()
    project = session.project(client)
    found = client.flag_moves(project, AskMoves(version, read_users(users) if users else ()))
    estimated = "made-up " if found.estimated else "known "
    told = f"{found.moved:,} of {found.known:,} {estimated}users get something else"
    if as_json:
        out.json_line({"type": "moves", "moves": found})
    else:
        out.say(told)
        for key, number in found.by_flag.items():
            out.say(f"    {key}: {number:,}")
    if found.moved and not yes:
        raise errors.NeedsConfirmation(f"cannot switch to {version}: {told}", hint="pass --yes")
    reason = f"{told}; {why}" if why else told
    change(session, AskFlag(act="bucketing", version=version, by=who(), why=reason), as_json=as_json)
