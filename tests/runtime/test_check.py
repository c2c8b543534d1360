"""What keeps a service from being started is said before anything is touched."""

import asyncio
import os

import pytest
from msgspec.structs import replace

from midair.model.project import Build, Service


def reasons(harness, service, shell=None):
    async def ask():
        async with harness.open() as runtime:
            return await runtime.check(service, shell)

    return tuple(reason.removeprefix('cannot start service "web": ') for reason in asyncio.run(ask()))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("sh", "-c", "true"), ()),
        (("/bin/sh",), ()),
        (("./run.sh",), ()),
        (("bin/tool",), ()),
        (("nosuch",), ('command "nosuch" was not found on PATH',)),
        (("./nosuch.sh",), ('command "./nosuch.sh" does not exist',)),
        (("/nosuch/program",), ('command "/nosuch/program" does not exist',)),
        (("./app.py",), ('command "./app.py" may not be executed',)),
        (("./bin",), ('command "./bin" may not be executed',)),
        (
            ("./old.sh",),
            ('command "./old.sh" needs the interpreter "/nosuch/python", which does not exist',),
        ),
        (("./env.sh",), ('command "./env.sh" needs the interpreter "nosuch", which does not exist',)),
        (("venv/bin/python",), ('command "venv/bin/python" is left out of the release by .gitignore',)),
        ((), ("it has no command",)),
    ],
)
def test_the_command_must_be_there(harness, command, expected):
    for name in ("run.sh", "bin/tool", "venv/bin/python"):
        path = harness.code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for name, first in (("old.sh", "#!/nosuch/python"), ("env.sh", "#!/usr/bin/env nosuch")):
        (harness.code / name).write_text(f"{first}\n")
        (harness.code / name).chmod(0o755)
    (harness.code / ".gitignore").write_text("venv/\n")
    assert reasons(harness, harness.service(*command)) == expected


def test_the_path_is_the_services_then_the_shells(harness):
    (harness.code / "tool").write_text("#!/bin/sh\n")
    (harness.code / "tool").chmod(0o755)
    service = harness.service("tool")
    assert reasons(harness, service, {"PATH": "/bin"}) != ()
    assert reasons(harness, service, {"PATH": f"/bin:{harness.code}"}) == ()
    assert reasons(harness, service, {"PATH": "/bin:."}) == ()
    overridden = replace(service, environment={"PATH": "/bin"})
    assert reasons(harness, overridden, {"PATH": str(harness.code)}) != ()


def test_a_build_command_may_make_what_is_not_there_yet(harness):
    build = Build(str(harness.code), command="make")
    assert reasons(harness, replace(harness.service("./bin/app", working_dir="out"), build=build)) == ()
    assert reasons(harness, replace(harness.service("nosuch"), build=build)) != ()


def test_folders_must_be_there(harness):
    missing = harness.code / "nowhere"
    assert reasons(harness, Service(name="web", build=Build(str(missing)), command=("sh",))) == (
        f'folder "{missing}" does not exist',
    )
    assert reasons(harness, harness.service("sh", working_dir="nowhere")) == (f'folder "{missing}" does not exist',)
    app = harness.code / "app.py"
    assert reasons(harness, Service(name="web", working_dir=str(app), command=("sh",))) == (f'"{app}" is not a folder',)
    assert reasons(harness, Service(name="web", command=("sh",)), {"PWD": str(missing), "PATH": os.defpath}) == (
        f'folder "{missing}" does not exist',
    )


def test_all_reasons_are_told_at_once(harness):
    service = harness.service("nosuch", user="nosuchuser", stop_signal="SIGNOPE")
    assert reasons(harness, service) == (
        'run as user "nosuchuser": there is no user "nosuchuser"',
        'send signal "SIGNOPE": there is no such signal',
        'command "nosuch" was not found on PATH',
    )
