"""The last routes asked for, in `router.json`, so that a killed router is back with them at once."""

import os
from pathlib import Path

import msgspec

from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId
from midair.router.base import RouterDeath

FILE = "router.json"
BOOT = Path("/proc/sys/kernel/random/boot_id")


class State(msgspec.Struct, frozen=True):
    """What a router needs to go on where another one ended."""

    services: tuple[SetRoutes, ...] = ()
    deaths: tuple[RouterDeath, ...] = ()  # the last ones: one that dies at once must not hide what the one before lost
    boot: str = ""  # of the machine; "": an older router wrote this
    left: dict[str, dict[ReplicaId, str]] = {}  # by service: replicas that flows past the router may lead to


def boot_id() -> str:
    """What the kernel calls this boot of the machine; "" where it says nothing."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def read_state(folder: Path) -> State:
    """The state on file; an unreadable one is as good as none, since the control plane asks again."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return State()


def write_state(folder: Path, state: State) -> None:
    """Replace the file whole."""
    fresh = folder / f"{FILE}.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(state))
    fresh.replace(folder / FILE)


def forget_state(folder: Path) -> None:
    """The router was told to stop: nothing is to be listened on when one starts again."""
    (folder / FILE).unlink(missing_ok=True)
