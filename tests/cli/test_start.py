"""The command line starts fast because it loads only what a command needs."""

import os
import subprocess
import sys

import pytest

HEAVY = ("rich", "yaml", "asyncio", "starlette", "uvicorn", "uvloop", "midair.spec", "midair.daemon", "midair.plan")
PROGRAM = """
import sys
from midair.cli.main import run
code = run(sys.argv[1:])
print(*(name for name in {heavy} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("line", ["status", "ps", "history", "events", "logs"])
def test_looking_loads_nothing_heavy(tmp_path, line):
    command = (sys.executable, "-c", PROGRAM.format(heavy=HEAVY), "-p", "shop", line)
    environment = {**os.environ, "MIDAIR_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[0].startswith("error: cannot reach the daemon")
    assert done.stderr.splitlines()[-1] == ""
