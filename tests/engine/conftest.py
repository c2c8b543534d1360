"""An engine over a fake machine and a fake router: everything above the shells is real."""

import asyncio
from collections.abc import Callable

import pytest

from midair.engine.clock import Clock
from midair.engine.engine import Engine
from midair.model.project import Port, Project, Service, Update
from midair.store import Store
from midair.testing.router import FakeGate, FakeRouter
from midair.testing.runtime import FakeMachine, FakeRuntime
from midair.view.ask import AskDown, AskPlan, AskUndo, AskUp


class Site:
    """One home folder, with a machine and a gate that outlive every engine on it."""

    def __init__(self, home):
        self.home = home
        self.machine, self.gate = FakeMachine(), FakeGate()
        self.lines = []
        self.engine = None

    async def begin(self, around: Callable[[str], None] = lambda step: None, opened=lambda name: None):
        """Start an engine, as a daemon would. `opened` is told of every runtime that is made."""

        def make_runtime(name, project):
            opened(name)
            return FakeRuntime(clock, self.machine)

        store = Store(self.home, around_commit=around)
        clock = Clock(store.meta.moment())
        self.engine = Engine(
            self.home,
            store,
            clock,
            make_runtime=make_runtime,
            make_router=lambda project: FakeRouter(self.gate),
            around=around,
        )
        await self.engine.open()
        return self.engine

    async def end(self):
        """End it in order; everything else goes on."""
        if self.engine is not None:
            await self.engine.close()
            self.engine.store.close()
            self.engine = None

    async def up(self, project, **more):
        """Plan and accept."""
        plan = await self.engine.plan(AskPlan(project))
        return await self.engine.up(AskUp(project, plan.digest, **more), self.lines.append)

    async def undo(self, number=None):
        return await self.engine.undo("shop", AskUndo(number), self.lines.append)

    async def down(self):
        return await self.engine.down("shop", AskDown(), self.lines.append)

    async def ended(self, change, timeout=10.0):
        """The change, once it has ended."""
        with self.engine.bus.follow() as follower:
            async with asyncio.timeout(timeout):
                while (found := self.engine.store.changes.get("shop", change.id)).ended_at is None:
                    await follower.wait(timeout)
        return found

    async def until(self, condition, timeout=10.0):
        """Wait for a condition that no event announces."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def living(self):
        """Replicas that have not ended."""
        return sorted(one for one, fake in self.machine.replicas.items() if fake.seen.state != "exited")


def web(colour="red", replicas=2, **more):
    """A service that exchanges quickly."""
    return Service(
        name="web",
        command=("serve",),
        environment={"COLOUR": colour},
        fields={"command": ["serve"], "environment": {"COLOUR": colour}, "deploy": {"replicas": replicas}},
        replicas=replicas,
        ports=(Port(8000, 8000),),
        update=Update(parallelism=0, monitor_s=0.02),
        **more,
    )


def shop(*services):
    """A project of these services."""
    return Project("shop", {one.name: one for one in services or (web(),)}, folder="/srv/shop")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)
