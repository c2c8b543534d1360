"""The daemon's settings. They live in its home, not in the environment of whoever typed the first command."""

import ipaddress
import os
import tempfile
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from midair.errors import DaemonTrouble, UsageRefused

FILE = "settings.json"


class Setting(msgspec.Struct, frozen=True):
    """One key of `midair daemon set`."""

    help: str
    variable: str  # of the environment, which older versions read instead
    is_address: bool = False


SETTINGS = {
    "flags.listen": Setting("HOST:PORT for OFREP, event streams and the manifest", "MIDAIR_FLAGS_LISTEN", True),
    "flags.sync": Setting("HOST:PORT for flagd.sync.v1, which needs midair[flagd]", "MIDAIR_FLAGS_SYNC", True),
    "flags.tokens": Setting("file with lines TOKEN PROJECT; others than this machine need it", "MIDAIR_FLAGS_TOKENS"),
}


def read(home: Path) -> dict[str, str]:
    """The settings in `home`. Raises DaemonTrouble for a damaged file."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise DaemonTrouble(
            f'cannot read the settings "{home / FILE}": {error}', hint="correct the file, or remove it for the defaults"
        ) from error


def write(home: Path, settings: Mapping[str, str]) -> None:
    """Replace the settings at once and as a whole. Raises DaemonTrouble."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{FILE}.", dir=home)
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(dict(sorted(settings.items())))) + b"\n")
            os.replace(draft, home / FILE)
        except OSError:
            os.unlink(draft)
            raise
    except OSError as error:
        raise DaemonTrouble(f'cannot write the settings "{home / FILE}": {(error.strerror or "").lower()}') from error


def adopted(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says for keys that were never set: such variables become settings once."""
    return {
        key: environment[setting.variable]
        for key, setting in SETTINGS.items()
        if key not in settings and environment.get(setting.variable)
    }


def changed(settings: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The settings with `wanted` in them; an empty value is the default. Raises UsageRefused for what is not safe."""
    for key, value in wanted.items():
        if key not in SETTINGS:
            near = get_close_matches(key, SETTINGS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(SETTINGS)}"
            raise UsageRefused(f'cannot set "{key}": there is no such setting', hint=hint)
        if SETTINGS[key].is_address and value:
            _check_address(key, value)
    after = {**settings, **wanted}
    for key in open_addresses(after):
        raise UsageRefused(
            f'cannot set {key} to "{after[key]}": others than this machine reach it, and no tokens are set',
            hint="set flags.tokens to a file with lines of a token and a project, or choose 127.0.0.1",
        )
    return after


def open_addresses(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Keys whose address others than this machine reach although anybody may read there."""
    if settings.get("flags.tokens"):
        return ()
    return tuple(
        key for key, setting in SETTINGS.items() if setting.is_address and not _is_loopback(settings.get(key, ""))
    )


def _check_address(key: str, value: str) -> None:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or (":" in host and not host.startswith("[")):
        raise UsageRefused(
            f'cannot set {key} to "{value}": it should be HOST:PORT', hint="write an address such as 127.0.0.1:8016"
        )


def _is_loopback(value: str) -> bool:
    host = value.rpartition(":")[0].strip("[]")
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
