"""What a change will do: the difference of last applied, file and live state, told before anything is touched. Pure.

    plan, after = build(before, project, releases, live)    `up`: the file's project against what was last applied
    plan = between(before, after, live)                     any two states: undo, scale, down
    after = scaled(before, "web", 6)                        `scale`: the state with a recorded override
    after = emptied(before)                                 `down`: the state with no service
    revision = revision_of(service, release)                content address of everything that makes a replica
    text = render(plan)                                     lines for people, compared by goldens
    text = summary(plan)                                    a few words for the history

`before` is the `Applied` of the last completed change (None: the first one), `project` what `spec` made of the
files, `releases` the fingerprint of each service's code by service name (None or absent: no snapshot), `live` a
`LiveService` by service name (absent: nothing is known). `only=("web",)` limits `build` to these services and what
they depend on. Store `after`; carry the plan out when `plan.refusals` is empty and its confirmations are given.

An override (`scale`) is recorded in `Applied.overrides` with what the file said then: the next `build` keeps it, and
names it in `plan.drift`, for as long as the file says the same. `undo` needs no file: it is `between(now, then)`.
"""

from midair.plan.build import between, build
from midair.plan.exchange import has_own_pace, is_job, order_of, runs_beside
from midair.plan.links import moving, releases_left, with_written
from midair.plan.merge import emptied, scaled
from midair.plan.refuse import of_name
from midair.plan.render import render
from midair.plan.repeated import with_repeated
from midair.plan.restart import restarted
from midair.plan.revision import limits_of, revision_of
from midair.plan.summary import summary

__all__ = [
    "between",
    "build",
    "emptied",
    "has_own_pace",
    "is_job",
    "limits_of",
    "moving",
    "of_name",
    "order_of",
    "releases_left",
    "render",
    "restarted",
    "revision_of",
    "runs_beside",
    "scaled",
    "summary",
    "with_repeated",
    "with_written",
]
