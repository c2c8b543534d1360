"""Which user a replica runs as, and how a process becomes that user."""

import grp
import os
import pwd
import sys

import msgspec

from midair.errors import RuntimeTrouble

# Runs as root after the pid file was written, and becomes the command: a folder only root may write to stays so.
BECOME = """
import os, sys, warnings  # the last for execvp, which may not be able to find it later
user, group, *groups = map(int, sys.argv[1].split(","))
os.setgroups(groups); os.setgid(group); os.setuid(user)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    print(f"midair: {sys.argv[2]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(127 if isinstance(error, FileNotFoundError) else 126)
"""


class User(msgspec.Struct, frozen=True):
    """A resolved `user:` of a service."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""
    name: str = ""

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words to put before a command so that it runs as this user."""
        ids = ",".join(str(number) for number in (self.uid, self.gid, *self.groups))
        return (sys.executable, "-I", "-S", "-c", BECOME, ids)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that go with the user."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name} if self.name else {}


def find_user(text: str | None) -> User | None:
    """The user that `user:` names ("name", "uid", either with ":group"); None when midair runs as that one already.

    Raises RuntimeTrouble when there is no such user, or midair may not become it.
    """
    if not text:
        return None
    name, _, group = text.partition(":")
    entry = _entry(name, text)
    uid = entry.pw_uid if entry else int(name)
    gid = _group(group, text) if group else (entry.pw_gid if entry else 0)
    if uid == os.geteuid() and gid == os.getegid():
        return None
    if os.geteuid() != 0:
        raise RuntimeTrouble(f'cannot run as user "{text}": midair does not run as root')
    if entry is None:
        return User(uid, gid)
    groups = () if group else tuple(os.getgrouplist(entry.pw_name, gid))
    return User(uid, gid, groups, entry.pw_dir, entry.pw_name)


def _entry(name: str, text: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if name.isdigit():
            return None
        raise RuntimeTrouble(f'cannot run as user "{text}": there is no user "{name}"') from None


def _group(name: str, text: str) -> int:
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise RuntimeTrouble(f'cannot run as user "{text}": there is no group "{name}"') from None
