"""One change over several services: in order, all or nothing, and undone again. Pure.

change = accept(before, after, plan, previous, number=…, now=…)      a change under way is superseded:
old = supersede(previous, change, now)                               store both together
step = advance(change, rollouts, now)                                persist the change and the rollouts in it
change = undo_target(history, number)                                its `before` is where the undo goes
returns = returning(history, change.before)           the services that need no monitor on the way there
kept = to_keep(history)                               the changes that an undo may still need
policy, goal = policy_of(service), goal_of(applied, name)            what the rollouts are begun with
"""

from midair.change.accept import accept, supersede
from midair.change.advance import advance
from midair.change.keep import to_keep
from midair.change.policy import goal_of, policy_of
from midair.change.taken_down import is_taken_down
from midair.change.undo import returning, undo_target

__all__ = [
    "accept",
    "advance",
    "goal_of",
    "is_taken_down",
    "policy_of",
    "returning",
    "supersede",
    "to_keep",
    "undo_target",
]
