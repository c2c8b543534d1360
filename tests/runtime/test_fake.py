"""The fake keeps the contract that the real runtimes keep, so that tests over it mean something."""

import time

from midair.model.project import Build, Revision, Service
from midair.testing.runtime import Behaviour, FakeMachine, FakeRuntime
from midair.testing.runtime_contract import RuntimeContract

KINDS = {
    "good": Behaviour(ready_after_s=0.05),
    "deaf": Behaviour(stops_after_s=None),
    "mute": Behaviour(ready_after_s=None),
    "broken": Behaviour(ready_after_s=None, exits_after_s=0.05, exit_code=3),
    "sick": Behaviour(unhealthy_after_s=0.1),
}


class FakeHarness:
    def __init__(self):
        self.machine = FakeMachine()
        self.machine.reasons["uncallable"] = ('cannot start service "uncallable": it has no command',)

    def runtime(self):
        return FakeRuntime(time.time, self.machine)

    async def revision(self, kind, runtime):
        self.machine.behaviours[kind] = KINDS[kind]
        return Revision(kind, Service(name="web"))

    def code_service(self):
        return Service(name="web", build=Build("/code"))

    def change_code(self):
        self.machine.code["web"] = "changed"

    def uncallable_service(self):
        return Service(name="uncallable")


class TestFake(RuntimeContract):
    def harness(self, folder):
        return FakeHarness()
