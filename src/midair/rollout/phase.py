"""The phases of a rollout: one table of legal moves, each with its reason.

Theory of operation
-------------------
A rollout takes one service from what runs to its *goal*: a revision and a number of replicas. Every call of `advance`
is given the whole observed world, and decides from scratch what is missing. Nothing depends on an event having been
seen, so a control plane that died and came back is in the normal case.

All phases in which something moves run the same program:

    notice     compare the replicas seen with those known last; say what happened
    judge      did a new replica fail, did a deadline pass: go on, pause, or go back
    strategy   how many replicas of the new and of the other revisions to want now, and with what weight
    grow       start what is missing, never beyond the strategy's limit of living replicas
    route      route to exactly those replicas that are ready and stay; a new generation if that differs
    retire     stop what leaves, when no request can be inside
    settle     which phase is this, then

A phase is a name for what that program found, for people and for whoever waits; it does not select another program:

    pending       begun; nothing was looked at yet
    progressing   new replicas are started, become ready, and take the place of others
    baking        every new replica is there and ready; the last have yet to pass `monitor`
    promoting     every new replica has passed; the last others drain and stop
    completed     only the goal is there. The same program keeps it so: what ends is restarted, what is unready unrouted
    paused        by the operator or by `failure_action: pause`: nothing new begins, what is there is kept in order
    rolling_back  the goal was swapped for the last good one; the same program runs. Never rolled back itself
    rolled_back   only the last good revision is there, and is kept so
    stuck         past its deadline, or failing again and again, with nowhere else to go: a rollback, or
                  `failure_action: continue`. Retried for ever
    superseded    another change took over what is there; nothing is decided here any more

Two rules hold everywhere. *Unknown is not absent*: when the runtime or the router could not be asked, nothing is
stopped. *Out before down*: a replica is stopped only when the router's settled generation is the last one asked for,
does not contain it, and no request is inside (or the drain deadline has passed).

`completed` is final for the service, not for the change: while other services of the change are under way it may have
to go back with them. `settled` (see `begin.settle`) ends that.
"""

from midair.model.rollout import Phase

MOVES: dict[Phase, dict[Phase, str]] = {
    "pending": {
        "progressing": "the world was looked at",
        "paused": "the operator paused it",
        "rolling_back": "the change goes back, or the operator aborted it",
        "superseded": "another change took over",
    },
    "progressing": {
        "baking": "every new replica is ready",
        "promoting": "every new replica has passed",
        "completed": "nothing is left to do",
        "paused": "the operator paused it, or a failure did",
        "rolling_back": "a new replica failed, the deadline passed, the change goes back, or the operator aborted it",
        "stuck": "the deadline passed, or it keeps failing, and failures are to be ignored",
        "superseded": "another change took over",
    },
    "baking": {
        "progressing": "a new replica is not ready any more",
        "promoting": "every new replica has passed",
        "completed": "every new replica has passed, and nothing else is left",
        "paused": "the operator paused it, or a failure did",
        "rolling_back": "a new replica failed, the change goes back, or the operator aborted it",
        "stuck": "the deadline passed, or it keeps failing, and failures are to be ignored",
        "superseded": "another change took over",
    },
    "promoting": {
        "progressing": "a new replica is missing",
        "baking": "a new replica came back and has to pass again",
        "completed": "only new replicas are left",
        "paused": "the operator paused it, or a failure did",
        "rolling_back": "a new replica failed, the change goes back, or the operator aborted it",
        "stuck": "the deadline passed, or it keeps failing, and failures are to be ignored",
        "superseded": "another change took over",
    },
    "completed": {
        "rolling_back": "another service of the change failed, or the operator aborted the change",
        "superseded": "another change took over",
    },
    "paused": {
        "progressing": "the operator resumed it",
        "rolling_back": "the change goes back, or the operator aborted it",
        "superseded": "another change took over",
    },
    "rolling_back": {
        "rolled_back": "only the last good revision is left",
        "stuck": "the deadline passed, or it keeps failing, and there is nowhere else to go back to",
        "superseded": "another change took over",
    },
    "rolled_back": {
        "superseded": "another change took over",
    },
    "stuck": {
        "completed": "it worked out after all",
        "rolled_back": "only the last good revision is left, after all",
        "rolling_back": "the change goes back, or the operator aborted it",
        "superseded": "another change took over",
    },
    "superseded": {},
}

STEADY: frozenset[Phase] = frozenset({"completed", "rolled_back"})  # the goal is reached, and kept
FORWARD: frozenset[Phase] = frozenset({"pending", "progressing", "baking", "promoting"})  # may still fail
UNDER_WAY: frozenset[Phase] = FORWARD | {"paused", "rolling_back", "stuck"}


def check_move(before: Phase, after: Phase) -> None:
    """Assert that the table knows this move."""
    assert before == after or after in MOVES[before], f"no move from {before} to {after}"
