"""Every error midair raises on purpose, with its stable kind and exit code.

MidairError
├── Refused              the caller asked for something impossible; nothing was changed
│   ├── FileRefused      the Compose file (all its problems at once)          exit 2
│   ├── UsageRefused     a wrong option, argument or combination              exit 2
│   ├── PlanRefused      a change that cannot be carried out as it is         exit 2
│   ├── NeedsConfirmation  not safe in flight, and nobody said yes            exit 4
│   ├── NotFound         no such project, service or change                   exit 2
│   ├── NothingToDo      it is like that already                              exit 0
│   └── Conflict         the state does not allow it now                      exit 1
└── Trouble              the world misbehaved                                 exit 1
    ├── RuntimeTrouble   replicas: processes, containers
    ├── RouterTrouble    routes and ports
    ├── StoreTrouble     the database
    ├── BuildTrouble     a snapshot or its build command
    └── DaemonTrouble    the control plane cannot be reached or started

Wording: "cannot <verb> <object>: <reason>", lower case, no final stop, the offending value in quotes.
A hint starts with a verb.
"""

from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a file: where it is and what would be right."""

    path: str  # services.web.deploy.replicas
    message: str  # should be a whole number, got "lots"
    file: str = ""
    line: int = 0  # from 1; 0 when there is no place in a file
    column: int = 0  # from 1

    def __str__(self) -> str:
        place = self.file if self.line == 0 else f"{self.file}:{self.line}:{self.column}"
        return " ".join(part for part in (place, f"{self.path}:" if self.path else "", self.message) if part)


class MidairError(Exception):
    """A failure that is told to the user in one line, with an optional hint."""

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500  # of the HTTP API

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(MidairError):
    """The caller asked for something impossible. Nothing was changed."""

    kind = "refused"
    exit_code = 2
    status = 422


class FileRefused(Refused):
    """The Compose file has problems; `problems` lists all of them."""

    kind = "bad-file"

    def __init__(self, problems: tuple[Problem, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = problems


class UsageRefused(Refused):
    """An option, an argument or their combination makes no sense."""

    kind = "bad-usage"
    status = 400


class PlanRefused(Refused):
    """The change cannot be carried out as it stands."""

    kind = "plan-refused"


class NeedsConfirmation(Refused):
    """The change is not safe in flight and nobody has said yes."""

    kind = "needs-confirmation"
    exit_code = 4
    status = 409


class NotFound(Refused):
    """There is no such project, service or change."""

    kind = "not-found"
    status = 404


class NothingToDo(Refused):
    """It is like that already: what was asked for would make no difference."""

    kind = "nothing-to-do"
    exit_code = 0
    status = 409


class Conflict(Refused):
    """The present state does not allow it."""

    kind = "conflict"
    exit_code = 1
    status = 409


class Trouble(MidairError):
    """The world misbehaved. Inside the engine it becomes a fact in the next `Seen`."""

    kind = "trouble"
    status = 503


class RuntimeTrouble(Trouble):
    """A replica could not be started, seen or stopped."""

    kind = "runtime-trouble"


class RouterTrouble(Trouble):
    """The router could not be reached, or could not take its ports."""

    kind = "router-trouble"


class StoreTrouble(Trouble):
    """The database could not be read or written."""

    kind = "store-trouble"


class BuildTrouble(Trouble):
    """A snapshot of the code could not be made, or its build command failed."""

    kind = "build-trouble"


class DaemonTrouble(Trouble):
    """The control plane could not be reached or started."""

    kind = "daemon-trouble"
