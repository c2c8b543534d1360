"""Where a revision runs and with which environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from midair.model.project import Revision
from midair.runtime.process.layout import Layout
from midair.runtime.process.translate import environment

# What a replica inherits when it is not known which shell asked for it.
_ORDINARY = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")


def folder_of(layout: Layout, revision: Revision) -> Path:
    """The working directory of a replica."""
    root = layout.release(revision.release) if revision.release else Path(revision.shell.get("PWD") or "/")
    return root / (revision.service.working_dir or "")


def shell_or_own(shell: Mapping[str, str] | None) -> Mapping[str, str]:
    """The environment of the shell that asked; without one, the ordinary part of this process's own."""
    if shell:
        return shell
    return {name: value for name, value in os.environ.items() if name in _ORDINARY or name.startswith("LC_")}


def environment_of(revision: Revision, given: Mapping[str, str], mark: str) -> dict[str, str]:
    """The whole environment of a process of this revision."""
    return environment(shell_or_own(revision.shell), revision.service, given, mark)
