"""The invariants of the design, each stated once, by name. They know what was decided and the truth of the world.

Safety is checked at each step (`Checks`), liveness after the faults have stopped (`check_end` in `endings`).
"""

from collections import Counter

from msgspec.structs import replace

from midair.model.action import Action, MakeFront, RemoveReplica, ResizeReplica, SetRoutes, StartReplica, StopReplica
from midair.model.change import Change, ChangeStep
from midair.model.event import PhaseChanged
from midair.model.ids import FOREIGN, ReplicaId, ordinal_of, revision_of, service_of
from midair.model.moment import Moment
from midair.model.rollout import Rollout, Step, Wish
from midair.model.seen import Seen
from midair.rollout import with_reach
from midair.rollout.phase import MOVES
from midair.testing.body import Body
from midair.testing.check_change import all_or_nothing, dependencies_come_first, restarts_replace_all
from midair.testing.check_return import goes_back, monitor_of, pace_of, settings_of, what_returns_is_quick
from midair.testing.violation import Violation
from midair.testing.world import World

_MOVES: dict[str, set[str]] = {phase: set(after) for phase, after in MOVES.items()}


class Checks:
    """Safety, checked while the simulation runs. `marks` counts the rare things that really happened."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.marks: Counter[str] = Counter()
        self.drains: dict[str, float] = {}
        self.same_moment: dict[str, tuple[Moment, int]] = {}
        self.asked: dict[tuple[str, int], SetRoutes] = {}
        world.on_stop = self.no_request_is_cut
        self.fronted: dict[str, Rollout] = {}  # as it was decided last
        world.fronts.on_remove = self.no_caller_loses_its_name
        world.on_lost = self.no_request_goes_where_it_was_stopped

    def decided(self, before: Rollout, seen: Seen, step: Step, now: Moment) -> None:
        """After each decision, before it is committed."""
        after = step.rollout
        self.fronted[after.service] = after
        self.drains[after.service] = after.policy.drain.timeout_s
        if not step.actions and not step.events and after is before:
            return
        self.it_does_not_spin(step, now)
        self.moves_are_legal(before, step)
        self.nothing_is_done_on_what_is_unknown(before, seen, step)
        if after.asked is not before.asked:
            if seen.replicas is not None:
                seen = replace(seen, replicas=with_reach(after, seen.route, seen.replicas))
            self.routes_lead_only_to_ready_replicas(seen, step)
            self.routes_lead_only_to_reached_replicas(before, step)
            self.generations_grow(before, after)
            self.rules_are_waited_for(seen, step)
            self.enough_keep_serving(before, seen, after, now)
        what_returns_is_quick(before, seen, step, self.keeps_by_number(after))
        self.restarts_wait(seen, step, now)
        self.what_refuses_is_not_ready(before, seen, step)
        self.what_keeps_failing_goes_back(before, step, now)
        self.a_failed_change_makes_no_more(step)
        self.ids_are_not_shared(before, step)
        self.one_shots_run_once(before, step)
        self.limits_are_taken_before_the_end(before, seen, step)
        self.a_port_is_left_to_its_owner(seen, step)
        self.the_new_are_ready_before_a_port_is_taken(before, seen, step)
        self.fronts_are_settled_before_the_end(before, seen, step)
        self._mark(before, seen, step, now)

    def acts(self, stored: Rollout, action: Action) -> None:
        """Before each action: what is in the store must already say so."""
        if isinstance(action, SetRoutes):
            known = stored.asked == action
        elif isinstance(action, StopReplica):
            known = action.replica in stored.stopping
        elif isinstance(action, StartReplica) and action.attempt == 1:
            known = action.replica in stored.created
        else:
            known = True
        if not known:
            raise Violation("committed before acted", f"{action.key} is not in the store yet")

    def wished(self, before: Rollout, after: Rollout, wish: Wish) -> None:
        """After an operator's wish was taken."""
        self.marks[f"wish {type(wish).__name__} while {before.phase}"] += 1
        if before.phase != after.phase and after.phase not in MOVES[before.phase]:
            raise Violation("moves are legal", f"{before.phase} to {after.phase} by a wish")

    def coordinated(self, change: Change, step: ChangeStep, rollouts: dict[str, Rollout]) -> None:
        """After each decision about a change."""
        after = {**rollouts, **{one.service: one for one in step.rollouts}}
        dependencies_come_first(change, step, after)
        if step.change.phase != change.phase and step.change.phase in ("completed", "rolled_back"):
            all_or_nothing(step, after)
            restarts_replace_all(step, after, self.world)

    # Safety

    def no_request_is_cut(self, service: str, body: Body, inside: int) -> None:
        """A stop cuts no request, unless the drain deadline has passed since the routes last held the replica."""
        table = self.world.tables[service]
        if any(route.replica == body.id and route.address == body.address for route in table.settled.routes):
            raise Violation("out before down", f"{body.id} is stopped while it is routed")
        late = [one for _, one in table.ahead if one.generation > table.settled.generation]
        if any(route.replica == body.id for one in late for route in one.routes):
            raise Violation("out before down", f"{body.id} is stopped while routes to it are still on their way")
        if inside:
            since = table.out_since.get(body.id)
            if since is None or self.world.now < since + self.drains[service]:
                raise Violation("no request is cut", f"{inside} in {body.id}")
            self.marks["requests were cut at the drain deadline"] += 1
        if body.idle and self.world.reaches:
            raise Violation("nothing idle is waited for", f"{body.idle} in {body.id}")

    def no_request_goes_where_it_was_stopped(self, service: str, replica: ReplicaId, body: Body | None) -> None:
        """The routes in force never lead to a replica that midair ended; one that died by itself is another matter."""
        if body is None or body.stop_asked:
            raise Violation("no route leads to an ended replica", f"{replica} in {service}")

    def it_does_not_spin(self, step: Step, now: Moment) -> None:
        """The same moment is decided upon a limited number of times."""
        at, times = self.same_moment.get(step.rollout.service, (-1.0, 0))
        times = times + 1 if at == now else 1
        self.same_moment[step.rollout.service] = (now, times)
        if times > 60:
            raise Violation("it does not spin", f"{step.rollout.service} decided {times} times at {now}")

    def moves_are_legal(self, before: Rollout, step: Step) -> None:
        """Phases follow the table, and every move is told."""
        phase: str = before.phase
        for event in step.events:
            if isinstance(event, PhaseChanged):
                if event.before != phase or event.after not in _MOVES[phase]:
                    raise Violation("moves are legal", f"{event.before} to {event.after}, it was {phase}")
                phase = event.after
        if phase != step.rollout.phase:
            raise Violation("moves are legal", f"{step.rollout.phase} was not told, only {phase}")
        if before.back and not step.rollout.back:
            raise Violation("a rollback is never rolled back", before.service)

    def nothing_is_done_on_what_is_unknown(self, before: Rollout, seen: Seen, step: Step) -> None:
        """Unknown replicas: only old routes are asked for again. Unknown routes: nothing that is routed is stopped."""
        others = any(action != before.asked for action in step.actions) or step.rollout.phase != before.phase
        if others and seen.replicas is None:
            raise Violation("unknown is not absent", "something was done with replicas unknown")
        past = {one.id for one in seen.replicas or () if one.published}  # the router knows nothing of their requests
        stops = any(isinstance(action, StopReplica) and action.replica not in past for action in step.actions)
        if stops and seen.route is None and step.rollout.asked is not None:
            raise Violation("unknown is not absent", "a stop with routes unknown")

    def routes_lead_only_to_ready_replicas(self, seen: Seen, step: Step) -> None:
        """Nothing is routed to a replica that is absent, not ready, draining or stopped."""
        ready = {one.id: one.address for one in seen.replicas or () if one.state == "ready"}
        after = step.rollout
        leaving = {one.replica for one in after.draining} | set(after.stopping)
        for route in after.routes:
            if ready.get(route.replica) != route.address or route.replica in leaving:
                raise Violation(
                    "routes lead only to ready replicas", f"{route.replica} in generation {after.generation}"
                )

    def routes_lead_only_to_reached_replicas(self, before: Rollout, step: Step) -> None:
        """Nothing is routed to that the router has not connected to itself, if it is one that does."""
        known = {(one.replica, one.address) for one in before.routes} | self.world.reached
        for route in step.rollout.routes:
            is_new = (route.replica, route.address) not in known and revision_of(route.replica) != FOREIGN
            if is_new and self.world.reaches and step.rollout.policy.ports:
                raise Violation("routes lead only to reached replicas", f"{route.replica} was not connected to")

    def what_refuses_is_not_ready(self, before: Rollout, seen: Seen, step: Step) -> None:
        """Nothing is ready that the router, with the newest routes in force, is refused by."""
        route = seen.route
        if route is None or route.reach is None or seen.replicas is None or route.settled != before.generation:
            return
        passed = {one.replica for one in before.reachable if one.at is not None}
        refused = passed.intersection(route.failing)
        routed = {one.replica: one.address for one in route.routes if one.replica in refused}
        for replica in step.rollout.replicas:
            if replica.state == "ready" and routed.get(replica.id) == replica.address and step.rollout.policy.ports:
                raise Violation("what refuses is not ready", replica.id)

    def what_keeps_failing_goes_back(self, before: Rollout, step: Step, now: Moment) -> None:
        """Nothing is completed with a replica that ended by itself again and again meanwhile."""
        after, update = step.rollout, step.rollout.policy.update
        is_strict = update.failure_action == "rollback" and update.max_failure_ratio == 0 and update.monitor_s >= 2.0
        is_strict = is_strict and not after.returns
        if after.phase != "completed" or before.phase == "completed" or after.promoted or not is_strict:
            return
        for body in self.world.bodies[after.service].values():
            ends = [at for at in body.ends if after.started_at < at <= now]
            if body.id in before.created and body.quality == "late" and len(ends) > 1:
                raise Violation("what keeps failing goes back", f"{body.id} ended {len(ends)} times")

    def generations_grow(self, before: Rollout, after: Rollout) -> None:
        """Other routes have a higher generation."""
        if after.generation <= before.generation:
            raise Violation("generations grow", f"{before.generation} to {after.generation} with other routes")

    def enough_keep_serving(self, before: Rollout, seen: Seen, after: Rollout, now: Moment) -> None:
        """Serving ≥ replicas − max unavailable; the old stay until the new have passed monitor; a rollback takes none
        away before it has another. Said of what midair itself takes out of the routes: of ready replicas."""
        ready = {one.id: one for one in seen.replicas or () if one.state == "ready"}
        if any(one.published and one.state != "exited" for one in seen.replicas or ()):
            return  # nobody comes through the router yet
        dropped = [one for one in before.routes if one.replica in ready]
        kept = {one.replica for one in after.routes}
        dropped = [one for one in dropped if one.replica not in kept and ready[one.replica].address == one.address]
        if not dropped:
            return
        update, by_number = settings_of(after), self.keeps_by_number(after)
        stops_first = update.order == "stop-first" or by_number
        wanted = after.goal.replicas
        at_once = after.policy.strategy.kind == "blue-green" and not goes_back(after)
        in_force = {one.replica for one in seen.route.routes} if seen.route and not at_once else kept
        serving = [ready[name] for name in kept if name in in_force and name in ready]
        if after.alone or (after.policy.strategy.kind == "recreate" and not after.back):
            return
        if not wanted or not after.policy.ports:
            return
        unavailable = pace_of(after, by_number) if stops_first else 0
        had = sum(one.replica in ready and one.replica in in_force for one in before.routes)
        if len(serving) < min(wanted - unavailable, had):
            raise Violation(
                "enough keep serving", f"{len(serving)} of {wanted} after {[one.replica for one in dropped]}"
            )
        old = [one for one in dropped if revision_of(one.replica) != after.goal.revision]
        if old and not stops_first and not after.promoted:
            proven = [
                one for one in serving
                if one.id not in after.created or now >= (one.ready_at or now) + monitor_of(after)
            ]  # fmt: skip
            if len(proven) < min(wanted, had):
                raise Violation("the old stay until the new have passed", f"{len(proven)} of {wanted} have")

    def nothing_runs_where_files_move(
        self, change: Change, rollouts: dict[str, Rollout], replica: ReplicaId
    ) -> None:  # fmt: skip
        """No service of a change that moves files starts anew while an old replica of one of them is alive."""
        services, name = change.after.project.services, service_of(replica)
        rollout = rollouts.get(name)
        if change.phase != "progressing" or name not in services or not services[name].moves or rollout is None:
            return
        if rollout.stable.revision is None:
            return  # nothing has ever come up that could have written anything
        if rollout.back or revision_of(replica) != rollout.goal.revision or rollout.phase == "completed":
            return
        self.marks["files were moved"] += 1
        movers = [other for other, service in services.items() if service.moves]
        for body in (body for other in movers for body in self.world.bodies[other].values()):
            new = change.after.revisions[service_of(body.id)].id
            if revision_of(body.id) != new and body.state != "exited":
                raise Violation("nothing runs where files move", f"{replica} starts beside {body.id}")

    def not_too_many_are_alive(self, stored: Rollout, replica: ReplicaId, begun: set[ReplicaId]) -> None:
        """Live and terminating ≤ replicas + surge, whenever one more is started. `begun`: what is being started now."""
        update, by_number = settings_of(stored), self.keeps_by_number(stored)
        wanted = stored.goal.replicas
        kind = "rolling" if goes_back(stored) else stored.policy.strategy.kind
        surge = pace_of(stored, by_number)
        if kind in ("canary", "blue-green"):
            surge = max(surge, wanted)
        if (update.order == "stop-first" or by_number) and kind in ("rolling", "recreate"):
            surge = 0
        bodies = self.world.bodies[stored.service]
        alive = {one.id for one in bodies.values() if one.state != "exited"} | {replica}
        alive |= {one for one in begun if service_of(one) == stored.service}
        others = {one for one in alive if revision_of(one) != stored.goal.revision}
        if not stored.policy.drain.in_surge and surge:
            alive -= {one.replica for one in stored.draining} | set(stored.stopping)
        recreates = stored.policy.strategy.kind == "recreate" and not stored.back and stored.stable.revision is not None
        if others and (stored.alone or recreates):
            raise Violation("recreate has one revision at a time", f"{replica} beside {sorted(others)}")
        twins = {one for one in others if by_number and ordinal_of(one) == ordinal_of(replica)}
        if twins:
            raise Violation("data has one owner at a time", f"{replica} beside {sorted(twins)}")
        if by_number and ordinal_of(replica) >= wanted:
            raise Violation("data has one owner at a time", f"{replica} has none, {sorted(others)} have")
        if len(alive) > wanted + surge:
            raise Violation("not too many are alive", f"{len(alive)} of at most {wanted} + {surge}: {sorted(alive)}")

    def keeps_by_number(self, rollout: Rollout) -> bool:
        """Whether replicas of a service take over the data of those of the same number, one after the other."""
        return rollout.service in self.world.keeping and not rollout.policy.beside

    def a_failed_change_makes_no_more(self, step: Step) -> None:
        """On the way back only the last good revision is started."""
        if step.rollout.back:
            for action in step.actions:
                if isinstance(action, StartReplica) and revision_of(action.replica) != step.rollout.stable.revision:
                    raise Violation("a failed change makes no more replicas", action.key)

    def restarts_wait(self, seen: Seen, step: Step, now: Moment) -> None:
        """What ended is not brought back at once, so that a crash loop does not eat the machine."""
        ended = {one.id: one.since for one in seen.replicas or () if one.state == "exited"}
        for action in step.actions:
            if isinstance(action, StartReplica) and action.attempt > 1 and now < ended[action.replica] + 0.09:
                raise Violation("restarts wait", action.key)

    def ids_are_not_shared(self, before: Rollout, step: Step) -> None:
        """A replica that is being stopped is never started; one that is being started is never stopped at once."""
        starts = {action.replica for action in step.actions if isinstance(action, StartReplica)}
        stops = {a.replica for a in step.actions if isinstance(a, StopReplica | RemoveReplica)}
        both = starts & (stops | set(step.rollout.stopping))
        if both:
            raise Violation("ids are not shared", ", ".join(sorted(both)))

    def one_shots_run_once(self, before: Rollout, step: Step) -> None:
        """What did its work for a revision is not started when that revision comes back."""
        done = {one.replica for one in before.done} if before.policy.one_shot else set()
        again = [
            action.replica for action in step.actions if isinstance(action, StartReplica) and action.replica in done
        ]
        if again:
            raise Violation("one-shots run once", f"{again[0]} is started again")

    def limits_are_taken_before_the_end(self, before: Rollout, seen: Seen, step: Step) -> None:
        """What ends has no replica of its goal that should have other limits; only those that need it are resized."""
        after = step.rollout
        wrong = {one.id for one in seen.replicas or () if one.resize}
        ends = after.phase != before.phase and after.phase in ("completed", "rolled_back")
        if ends and any(revision_of(one) == after.goal.revision and one not in after.stopping for one in wrong):
            raise Violation("limits are taken before the end", f"{after.phase} with {sorted(wrong)}")
        for action in step.actions:
            if isinstance(action, ResizeReplica) and action.replica not in wrong:
                raise Violation("only what needs it is resized", action.key)

    def a_port_is_left_to_its_owner(self, seen: Seen, step: Step) -> None:
        """The router is not asked for a port that clients reach a replica on which is to stay."""
        owners = {one.id for one in seen.replicas or () if one.published and one.state not in ("stopping", "exited")}
        for action in step.actions:
            asks = isinstance(action, SetRoutes) and any(not port.inside for port in action.ports)
            if asks and owners - set(step.rollout.stopping):
                raise Violation("a port is left to its owner", f"{action.key} while {sorted(owners)} have it")

    def the_new_are_ready_before_a_port_is_taken(self, before: Rollout, seen: Seen, step: Step) -> None:
        """What clients reach past the router is ended only when somebody else is there to answer them."""
        after = step.rollout
        for one in seen.replicas or ():
            if not one.published or one.id in before.stopping or one.id not in after.stopping:
                continue
            self.marks["a port was taken over"] += 1
            others = [other for other in seen.replicas or () if other is not one and other.id not in after.stopping]
            kind = after.policy.strategy.kind
            is_gentle = settings_of(after).order == "start-first" and kind != "recreate" and not after.back
            is_gentle = is_gentle and not self.keeps_by_number(after)
            serves = one.state == "ready" and bool(after.goal.replicas)
            if is_gentle and serves and not any(other.state == "ready" for other in others):
                raise Violation("the new are ready before a port is taken", f"nobody takes the place of {one.id}")

    def no_caller_loses_its_name(self, service: str) -> None:
        """A front is removed when no replica is left that was made to be called by it."""
        rollout = self.fronted[service]
        self.marks["a front was removed"] += 1
        old = [
            body.id
            for body in self.world.bodies[service].values()
            if body.state == "ready" and revision_of(body.id) != rollout.goal.revision
        ]
        if old or (rollout.policy.front and rollout.goal.revision is not None):
            raise Violation("no caller loses its name", f"the front of {service} is removed beside {old}")

    def fronts_are_settled_before_the_end(self, before: Rollout, seen: Seen, step: Step) -> None:
        """What ends has the front that it is to have, or none."""
        after = step.rollout
        if after.phase == before.phase or after.phase not in ("completed", "rolled_back"):
            return
        wanted = after.policy.front and after.goal.revision is not None
        fit = seen.front is not None and seen.front.fit
        if fit if not wanted else not fit:
            raise Violation("fronts are settled before the end", f"{after.service}: {seen.front}")

    def rules_are_waited_for(self, seen: Seen, step: Step) -> None:
        """While callers use a front, routes are in force only when its rules are."""
        for action in step.actions:
            if isinstance(action, SetRoutes) and seen.front and seen.front.fit and not action.front:
                raise Violation("rules are waited for", action.key)

    def _mark(self, before: Rollout, seen: Seen, step: Step, now: Moment) -> None:
        marks, after = self.marks, step.rollout
        if after.phase != before.phase:
            marks[f"{before.phase} to {after.phase}"] += 1
        if seen.asked_at is not None and any(action == before.asked for action in step.actions):
            marks["outstanding routes were asked for again"] += 1
        if any(one.count > 1 and one not in before.restarting for one in after.restarting):
            marks["a crash loop was slowed down"] += 1
        if any(isinstance(one, ResizeReplica) for one in step.actions):
            marks["limits were changed in place"] += 1
        if {one.replica for one in before.draining} & {route.replica for route in after.routes}:
            marks["a draining replica was taken back"] += 1
        if seen.front is not None and any(isinstance(one, MakeFront) for one in step.actions):
            marks["a front was put right"] += 1
        if step.actions and any(
            isinstance(one, StopReplica) and one.replica in before.stopping for one in step.actions
        ):
            marks["a stop was asked for again"] += 1
