"""What `midair doctor` looks at, one function each. Looking changes nothing."""

import os
import resource
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from midair import __version__, errors
from midair.cli import out, when
from midair.cli.session import Session
from midair.client import Client
from midair.daemon.settings import SETTINGS, open_addresses
from midair.model.project import Port
from midair.view.status import ProjectView, ReplicaView

DISK_MIN = 1 << 30
FILES_MIN = 4096


class Check(msgspec.Struct, frozen=True):
    """One thing looked at."""

    name: str
    ok: bool
    text: str
    hint: str = ""  # what to do when it is bad


def examine(session: Session) -> list[Check]:
    """Everything, in order."""
    client = session.client()
    checks = [_python(), _system(), _folder(client.home), _disk(client.home), _open_files(), _daemon(client)]
    projects = _projects(client)
    checks += _settings(client)
    checks += [_clock(projects), _leftovers(client.home, projects)]
    return [*checks, *_file(session, client, projects)]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), f"{version}, {sys.executable}", "use Python 3.11 or newer")


def _system() -> Check:
    ok = sys.platform == "linux" and Path("/proc/self/stat").exists()
    text = f"{os.uname().sysname} {os.uname().release}"
    return Check("system", ok, text, "use Linux with /proc; midair knows processes by it")


def _folder(home: Path) -> Check:
    if not home.exists():
        parent = next(folder for folder in home.parents if folder.exists())
        ok = os.access(parent, os.W_OK)
        return Check("folder", ok, f"{home} will be made", f"make {parent} writable, or set MIDAIR_HOME")
    found = home.stat()
    if not stat.S_ISDIR(found.st_mode) or not os.access(home, os.W_OK):
        return Check("folder", False, f"{home} cannot be written to", "set MIDAIR_HOME to a folder of your own")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return Check("folder", False, f"{home} has mode {mode:o}: others can look into it", f"run chmod 700 {home}")
    return Check("folder", True, str(home))


def _disk(home: Path) -> Check:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    return Check("disk", free > DISK_MIN, f"{free / 1e9:.1f} GB free", "make room: releases and logs live there")


def _open_files() -> Check:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    text = "no limit" if limit == resource.RLIM_INFINITY else f"up to {limit:,}"
    ok = limit == resource.RLIM_INFINITY or limit >= FILES_MIN
    return Check("open files", ok, text, "raise the limit (ulimit -Hn): each connection takes two")


def _daemon(client: Client) -> Check:
    try:
        health = client.health()
    except errors.DaemonTrouble as error:
        if not (client.home / "midair.db").exists():
            return Check("daemon", True, "not running; midair up starts it")
        return Check("daemon", False, error.message, "run midair daemon start")
    if health.problem:
        return Check("daemon", False, health.problem, "see midair daemon logs")
    text = f"pid {health.pid}, version {health.version}, {out.count(health.projects, 'project')}"
    return Check("daemon", health.version == __version__, text, "run midair daemon restart: it is of another version")


def _settings(client: Client) -> list[Check]:
    """Variables that older versions read, where they differ from what is in force, and what others can reach."""
    try:
        in_force = client.health().settings
    except errors.MidairError:
        return []
    checks = []
    for key, setting in SETTINGS.items():
        value = os.environ.get(setting.variable)
        if value is not None and value != in_force.get(key, ""):
            text = f"{setting.variable} is set here, but {key} is in force as {in_force.get(key) or 'its default'}"
            checks.append(Check("settings", False, text, f"run midair daemon set {key}={value}, or unset the variable"))
    for key in open_addresses(in_force):
        text = f"others than this machine reach {key}={in_force[key]}, and no tokens are set"
        checks.append(Check("settings", False, text, "run midair daemon set flags.tokens=FILE"))
    return checks


def _projects(client: Client) -> list[ProjectView]:
    try:
        return [client.status(summary.name) for summary in client.projects()]
    except errors.MidairError:
        return []


def _clock(projects: list[ProjectView]) -> Check:
    now = time.time()
    ahead = max((project.now - now for project in projects), default=0.0)
    if ahead > 2:
        text = f"the wall clock is {when.span(ahead)} behind what was seen before"
        return Check("clock", False, text, "nothing is wrong with your services; set the clock right")
    return Check("clock", True, when.stamp(now))


def _leftovers(home: Path, projects: list[ProjectView]) -> Check:
    """Processes of replicas that nobody looks after: their project is not known, or they are not on its record."""
    known = {replica.pid for replica in _replicas(projects)}
    lost = sorted(pid for pid in _replica_pids(home) if pid not in known)
    if not lost or not projects:
        return Check("leftovers", True, "none")
    text = f"{out.count(len(lost), 'process', 'processes')} of old replicas: pid {', '.join(map(str, lost))}"
    return Check("leftovers", False, text, f"end them: kill {' '.join(map(str, lost))}")


def _replicas(projects: list[ProjectView]) -> Iterator[ReplicaView]:
    for project in projects:
        for service in project.services:
            for revision in service.revisions:
                yield from revision.replicas


def _replica_pids(home: Path) -> Iterator[int]:
    """Leaders of sessions that were started as a replica and have their folder in this home."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            if os.getsid(pid) != pid or b"\0MIDAIR_REPLICA=" not in b"\0" + (folder / "environ").read_bytes():
                continue
            if os.readlink(folder / "fd" / "1").startswith(str(home)):
                yield pid
        except (OSError, ValueError):
            continue


def _file(session: Session, client: Client, projects: list[ProjectView]) -> list[Check]:
    """The Compose file of this folder, if there is one, and whether its ports are free."""
    try:
        project = session.load()
        project, name = session.known(project, client) if projects else (project, project.name)
    except errors.NotFound:
        return []
    except errors.MidairError as error:
        return [Check("file", False, error.message.replace("\n", "; "), "see midair plan")]
    checks = [Check("file", True, f"{name}, {out.count(len(project.services), 'service')}")]
    if any(service.runtime == "docker" for service in project.services.values()):
        checks.append(_docker())
    held = {port.port: each for each in projects for service in each.services for port in service.ports}
    for service in project.services.values():
        for port in service.ports:
            holder = held.get(port.port)
            if holder is None:
                checks.append(_port(service.name, port))
            elif holder.name != name:
                checks.append(_held(service.name, port.port, holder))
    return checks


def _docker() -> Check:
    if find_spec("aiodocker") is None:
        return Check("docker", False, "midair was installed without it", "run pip install 'midair[docker]'")
    return Check("docker", True, "the client is installed")


def _held(service: str, port: int, holder: ProjectView) -> Check:
    text = f'{port} of {service} belongs to project "{holder.name}" of the folder "{holder.folder}"'
    return Check("port", False, text, f"add -p {holder.name} if that is this one, or run midair down -p {holder.name}")


def _port(service: str, published: Port) -> Check:
    family = socket.AF_INET6 if ":" in published.host else socket.AF_INET
    is_udp = published.protocol == "udp"
    port = f"{published.port}/udp" if is_udp else str(published.port)
    try:
        with socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM) as probe:
            if not is_udp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((published.host, published.port))
    except PermissionError:
        low = "use a port from 1024 on, or lower net.ipv4.ip_unprivileged_port_start"
        return Check("port", False, f"{port} of {service} needs more rights", low)
    except OSError as error:
        return Check(
            "port",
            False,
            f"{port} of {service}: {error.strerror}",
            f"find who has it: ss -l{'u' if is_udp else 't'}np sport = {published.port}",
        )
    return Check("port", True, f"{port} of {service} is free")
