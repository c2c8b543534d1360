"""The process runtime keeps the contract of runtimes, with real processes."""

import pytest
import uvloop

from midair.testing.runtime_contract import RuntimeContract


class TestProcess(RuntimeContract):
    @pytest.fixture(autouse=True)
    def take(self, make_harness):
        self.make_harness = make_harness

    def harness(self, folder):
        return self.make_harness(folder)

    def run(self, main):
        uvloop.run(main)  # as the daemon does; the other tests of processes use asyncio's own loop
