"""One service on its way to its goal, and kept there. Pure: what is seen comes in, what to do goes out.

step = advance(rollout, seen, now)          persist the step, then perform its actions, come back at `wake_at`
rollout = begin(service, change, goal, policy, previous, now)
rollout = request(rollout, wish, now)       pause, resume, promote, abort, scale, hold
rollout = turn_back(rollout, now, reason)   the change goes back
rollout = settle(rollout)                   the change has ended well
ids = completed_revisions(rollout)          revisions that have done their work
replicas = with_reach(rollout, route, replicas)   what a runtime reports, each as ready as the router finds it
"""

from midair.rollout.advance import advance
from midair.rollout.begin import begin, goes_on, settle, turn_back
from midair.rollout.oneshot import completed_revisions
from midair.rollout.reach import with_reach
from midair.rollout.request import request

__all__ = ["advance", "begin", "completed_revisions", "goes_on", "request", "settle", "turn_back", "with_reach"]
