"""A command that somebody runs beside the replicas of a service: `midair exec` and `midair run`."""

import msgspec


class Command(msgspec.Struct, frozen=True):
    """What to run, and how it differs from what the service's own processes get."""

    words: tuple[str, ...]  # none: the service's own command
    tty: bool = False
    environment: dict[str, str] = {}  # more variables
    working_dir: str = ""  # "": the service's; a relative one counts from there
    user: str = ""  # "": the service's
    rows: int = 24  # of the terminal
    columns: int = 80
