"""What should run: a project of services, as the Compose file and its `x-midair` say it.

Values are resolved (interpolated, merged, defaults filled in). `Service.fields` is the whole resolved service in
Compose's canonical long form, for comparing and for runtimes that pass it on; the typed attributes beside it are
those that midair itself acts on.
"""

from typing import Any, Literal

import msgspec

from midair.model.capabilities import CAPABILITIES, Capabilities, RuntimeName
from midair.model.ids import RevisionId
from midair.model.moment import Span

Protocol = Literal["http", "tcp", "udp"]
Order = Literal["start-first", "stop-first"]
FailureAction = Literal["rollback", "pause", "continue"]


BESIDE = ("-wal", "-shm", "-journal")  # what SQLite adds to a database's name for the files it keeps beside it


class Port(msgspec.Struct, frozen=True):
    """A published port: the router listens on it, replicas never do."""

    port: int  # published
    target: int  # what the Compose file says the container listens on
    host: str = ""  # address to listen on; "" is every interface
    protocol: Protocol = "http"
    inside: bool = False  # not published: where the router answers for the service's name inside the project
    front: str = ""  # service in whose front it is listened on; "": on this machine

    @property
    def place(self) -> tuple[str, int]:
        """Where it is listened on: address and number."""
        return (f"front of {self.front}", self.port) if self.front else (self.host, self.port)


class Build(msgspec.Struct, frozen=True):
    """Where a service's code comes from."""

    context: str  # absolute directory
    dockerfile: str | None = None
    target: str | None = None
    args: dict[str, str] = {}
    command: str | None = None  # x-midair.build: a shell command run inside the snapshot
    ignore: tuple[str, ...] = ()  # more ignore rules, in .gitignore syntax
    settings: dict[str, Any] = {}  # the rest of Compose's `build` in canonical form, with absolute paths
    secrets: dict[str, str] = {}  # by the id that a Dockerfile names: an absolute path, or "" for a variable's value


class HealthCheck(msgspec.Struct, frozen=True):
    """Compose's `healthcheck`. `test` starts with CMD, CMD-SHELL or NONE."""

    test: tuple[str, ...]
    interval_s: Span = 30.0
    timeout_s: Span = 30.0
    retries: int = 3
    start_period_s: Span = 0.0
    start_interval_s: Span = 5.0


class Ready(msgspec.Struct, frozen=True):
    """`x-midair.ready`: what must answer before a replica is given requests. One of http, tcp and command."""

    http: str | None = None  # a path that answers 2xx or 3xx
    tcp: bool = False  # the port accepts a connection
    command: tuple[str, ...] = ()  # exits with 0
    interval_s: Span = 0.25
    timeout_s: Span = 2.0
    retries: int = 3  # failures in a row that make a ready replica unhealthy
    host: str = ""  # the Host header of the request for `http`; "": localhost
    headers: dict[str, str] = {}  # more of them


class Update(msgspec.Struct, frozen=True):
    """`deploy.update_config` or `rollback_config`; defaults as in SwarmKit where Compose is silent."""

    parallelism: int = 1  # 0 is all at once
    delay_s: Span = 0.0  # between batches
    order: Order | None = None  # None: chosen from the volumes and the replica count
    monitor_s: Span = 5.0  # a new replica that fails this soon after ready is a failure of the change
    failure_action: FailureAction = "rollback"
    max_failure_ratio: float = 0.0


class Restart(msgspec.Struct, frozen=True):
    """When a replica that ended comes back."""

    condition: Literal["any", "on-failure", "none"] = "any"
    delay_s: Span = 0.0  # the first wait; it doubles up to a limit
    max_attempts: int | None = None
    window_s: Span = 10.0  # up this long: the count of attempts starts again


class Hook(msgspec.Struct, frozen=True):
    """A command of `post_start` or `pre_stop`."""

    command: tuple[str, ...]
    environment: dict[str, str] = {}
    working_dir: str | None = None
    user: str | None = None
    privileged: bool = False


class Dependency(msgspec.Struct, frozen=True):
    """One entry of `depends_on`."""

    condition: Literal["service_started", "service_healthy", "service_completed_successfully"] = "service_started"
    restart: bool = False
    required: bool = True


class StrategyStep(msgspec.Struct, frozen=True):
    """One step of a canary: exactly one of the attributes is set."""

    weight: int | None = None  # percent of requests for the new revision
    pause_s: Span | None = None  # -1: until promoted
    analysis: str | None = None


class Strategy(msgspec.Struct, frozen=True):
    """`x-midair.rollout`: which counts and weights to want next."""

    kind: Literal["rolling", "recreate", "canary", "blue-green"] = "rolling"
    steps: tuple[StrategyStep, ...] = ()
    stick_by: str | None = None  # header:NAME or cookie:NAME
    progress_deadline_s: Span = 600.0


class Drain(msgspec.Struct, frozen=True):
    """What happens to requests inside a replica that is taken out of the routes."""

    timeout_s: Span = 30.0
    long_lived: Literal["close", "wait"] = (
        "close"  # WebSockets and streams: closed politely at the deadline, or waited for
    )
    websocket_s: Span | None = None  # for WebSockets; None: the timeout
    in_surge: bool = True  # replicas on their way out count against the surge; by default no file's do


class Hold(msgspec.Struct, frozen=True):
    """How requests wait while nothing is ready."""

    timeout_s: Span = 30.0
    max_requests: int = 1000


class Link(msgspec.Struct, frozen=True):
    """A path in the release of a plain process that leads to files which outlive the release."""

    path: str  # relative to the release; a folder that midair makes ends with "/"
    source: str = ""  # an absolute path on this machine; "": midair keeps the files
    volume: str = ""  # then in the place of this volume; "": in the place that services of one build folder share
    target: str = ""  # of a volume, as the file says it

    @property
    def is_kept(self) -> bool:
        """True when midair keeps the files, until the project is forgotten."""
        return not self.source


class Front(msgspec.Struct, frozen=True):
    """The container that is a service's address on its networks."""

    addresses: dict[str, str] = {}  # fixed ones, by the engine's name of the network; elsewhere the engine chooses


class Names(msgspec.Struct, frozen=True):
    """What the names of one service lead to: the router at these ports, in the service's front if it has one."""

    ports: tuple[Port, ...] = ()
    front: Front | None = None


class Service(msgspec.Struct, frozen=True):
    """One service of a project, with defaults filled in."""

    name: str
    runtime: RuntimeName = "process"
    replicas: int = 1
    image: str | None = None
    build: Build | None = None
    build_env: tuple[str, ...] | None = None  # the variables that the build command sees and depends on; None: all
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    working_dir: str | None = None  # absolute, or relative to the release
    user: str | None = None
    ports: tuple[Port, ...] = ()
    healthcheck: HealthCheck | None = None
    ready: Ready | None = None
    update: Update = Update()
    rollback: Update = Update()
    restart: Restart = Restart()
    stop_signal: str = "SIGTERM"
    stop_grace_s: Span = 10.0
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    depends_on: dict[str, Dependency] = {}
    strategy: Strategy = Strategy()
    drain: Drain = Drain()
    hold: Hold = Hold()
    names: tuple[Port, ...] = ()  # ports beside the published ones where the router answers for its name
    trusted_proxies: tuple[str, ...] = ()  # networks whose word on the client's address and scheme counts
    front: Front | None = None  # None: its names lead elsewhere
    on_change: dict[str, str] = {}  # file pattern -> signal or URL
    contents: dict[str, str] = {}  # configs.NAME and secrets.NAME -> SHA-256 of what each holds, where it can be read
    links: tuple[Link, ...] = ()  # of a plain process: shared files, and volumes with a target inside the release
    shared_place: str = ""  # where the shared files of its build folder are, by name
    moves: bool = False  # set by the plan: files become shared, which nothing may use while they are moved
    writable_volume: bool = False  # mounts a volume that it may write to
    own_volumes: tuple[str, ...] = ()  # where its replicas were seen to keep data of their own; for plans, never stored
    listens: tuple[int, ...] = ()  # TCP ports at which others reached its replicas when the change was planned
    own_port: dict[str, tuple[str, ...]] | None = None  # by field: with $PORT in it; None: every number is literal
    fields: dict[str, Any] = {}  # the resolved Compose service in canonical form, without x-midair
    extension: dict[str, Any] = {}  # the resolved x-midair of the service

    @property
    def can(self) -> Capabilities:
        """What its runtime can do."""
        return CAPABILITIES[self.runtime]


Named = Literal["", "asked", "file", "folder"]  # by -p, by `name:`, by its folder; "": on record from before


class Project(msgspec.Struct, frozen=True):
    """What one set of Compose files says should run."""

    name: str
    services: dict[str, Service]  # the active ones, by name
    folder: str = ""  # absolute project directory
    folder_id: str = ""  # device, inode and birth of the folder, which a move does not change; "": unknown
    named: Named = ""
    commit: str = ""  # of git, where the folder is in a checkout; ends with "-dirty" when tracked files differ
    files: tuple[str, ...] = ()  # absolute, in merge order
    fields: dict[str, Any] = {}  # the whole resolved file in canonical form
    extension: dict[str, Any] = {}  # project-level x-midair
    warnings: tuple[str, ...] = ()  # told by the plan
    flags: dict[str, Any] = {}  # flag definitions as their file says them, with midair's own words
    shell: dict[str, str] = {}  # PATH, HOME, LANG … of the shell that asked, for plain processes
    captured: dict[str, bytes] = {}  # what configs and secrets hold, by SHA-256: for the runtime, never stored or shown


class Revision(msgspec.Struct, frozen=True):
    """Everything that makes a replica, addressed by its content. Never changed after it was made."""

    id: RevisionId
    service: Service  # as it was when the revision was made; live settings as in the state that holds this value
    release: str | None = None  # content id of the code snapshot; None: runs in working_dir as it is
    shell: dict[str, str] = {}  # Project.shell when the revision was first made; not part of its id
    earlier: tuple[str, ...] = ()  # releases that may hold files which are shared now, newest first; not part of its id


class Override(msgspec.Struct, frozen=True):
    """A replica count that a command set beside the file. The file wins once it says something new."""

    service: str
    replicas: int
    file: int  # what the file said when the command was given


class Applied(msgspec.Struct, frozen=True):
    """What one change made of a project: code, config and limits that go together and come back together."""

    project: Project  # with the overrides in it
    revisions: dict[str, Revision]  # by service name
    overrides: tuple[Override, ...] = ()
    flags: dict[str, Any] = {}  # flag definitions in force: the file's, with what commands made of them
