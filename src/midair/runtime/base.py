"""What every runtime offers: it observes replicas and performs actions, and decides nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from midair.model.action import FrontAction, RuntimeAction
from midair.model.command import Command
from midair.model.ids import ReplicaId
from midair.model.moment import Moment
from midair.model.plan import Written
from midair.model.project import Names, Project, Revision, Service
from midair.model.seen import FrontSeen, ReplicaSeen
from midair.runtime.entry import Entry

Progress = Callable[[str], None]  # takes one line for people
_NONE: Mapping[str, bytes] = {}


class CommandSession(Protocol):
    """A command that somebody uses. What does not read keeps the other side from writing: nothing piles up here."""

    async def read(self) -> tuple[bool, bytes] | None:
        """More output, and whether that is of standard error. None: no more will come."""

    async def write(self, data: bytes) -> None:
        """Hand input over. Returns when the command, or its pipe, has taken it; or will take none any more."""

    async def close_input(self) -> None:
        """End its input."""

    async def resize(self, rows: int, columns: int) -> None:
        """Change the size of its terminal."""

    async def signal(self, name: str) -> None:
        """Send it a signal. Raises RuntimeTrouble for one that does not exist."""

    async def wait(self) -> int:
        """The exit code, once it has ended; 128 and the number for a signal."""

    async def close(self) -> None:
        """End it and all that it has started, politely and then not. Returns when nothing of it is left."""


class LogReading(Protocol):
    """A log that is being read on."""

    @property
    def at(self) -> int:
        """The moment after the last line that was read, in nanoseconds since 1970."""

    def read(self) -> list[tuple[Entry, int]]:
        """Lines that nobody has read, so many at a time, and `at` after each. Called outside of the loop."""

    def close(self) -> None:
        """Let go of it."""


class ReplicaLog(Protocol):
    """The log of a replica that is no file."""

    @property
    def id(self) -> str:
        """Differs between the logs of one replica that was started twice."""

    def open(self, *, after: int, tail: int | None, since: Moment | None, follow: bool) -> LogReading:
        """Read lines since a moment (`after` in nanoseconds, `since` in seconds since 1970), or the last ones.

        A log that cannot be read has one line that says so, of the stream "midair"."""


class Runtime(Protocol):
    """Runs the replicas of one project.

    `observe` and `perform` raise `errors.RuntimeTrouble`; the engine turns that into facts for the core.
    """

    name: str

    async def open(self) -> None:
        """Adopt what is still running from before. Called once, before anything else."""

    async def close(self) -> None:
        """Let go of everything without stopping any replica."""

    async def arrange(self, project: Project) -> dict[str, Names]:
        """Make what the services of the project share, before a change to it is stored. Idempotent.

        Returns by service what its names lead to. Raises RuntimeTrouble."""

    def in_force(self, project: Project) -> None:
        """What the project is to be from now on: what is observed is compared with it, new replicas are of it."""

    async def observe(self) -> tuple[ReplicaSeen, ...]:
        """Every replica on record, of every service. Fast: looks at what is known, waits for nothing."""

    async def observe_fronts(self) -> tuple[FrontSeen, ...]:
        """The front of every service that has one. As fast as `observe`."""

    async def perform_front(self, action: FrontAction) -> None:
        """See to a front, or remove it. Nothing happens where services of this runtime have no fronts."""

    async def perform(self, action: RuntimeAction, revision: Revision | None) -> None:
        """Carry out an action, or begin to: long ones go on in the background and are seen. `revision`: for starts."""

    async def exec(self, replica: ReplicaId, command: Command) -> CommandSession:
        """Run a command beside a replica, with its environment, folder, user and limits. Ends with the replica.

        Raises RuntimeTrouble."""

    async def run(self, revision: Revision, command: Command, *, publish: bool) -> CommandSession:
        """Run one more process of a revision, which is no replica: neither observed nor routed to.

        `publish`: at the published ports of its service. Raises RuntimeTrouble."""

    async def adapt(self, revision: Revision) -> None:
        """Let the replicas of a revision take what may differ while its id stays: health checks, `pre_stop`.

        Touches no process. Asked for whenever such a setting was changed; again is harmless."""

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` (in the loop) whenever a replica's state has changed."""

    async def fingerprint(
        self, service: Service, known: Revision | None = None, *, keep: bool = False, builds: bool = False
    ) -> str | None:
        """Content id of the code the service would run now (`build`), or None when it has none. Makes nothing.

        `known` is the revision in force: code that is the same as its own has its content id. `keep`: what is read is
        kept where that can be, so that `prepare` makes a release of it whatever becomes of the folder. `builds`: an
        image that is here already is built once more, under a name of `model.release.again`.

        Raises BuildTrouble when the code cannot be read."""

    async def bases(self, release: str) -> Mapping[str, str]:
        """The images that a release was or will be built on, as far as that is known: content by name."""

    async def prepare(
        self, service: Service, progress: Progress, shell: Mapping[str, str] | None = None, *,
        release: str | None = None, contents: Mapping[str, bytes] = _NONE,
    ) -> str | None:  # fmt: skip
        """Make the release that `fingerprint` names: snapshot, then its build command. Idempotent.

        Returns another id, and says so in a line, when the code was changed meanwhile and was not kept.

        `shell` is the environment of the shell that asked (`Project.shell`), `release` what `fingerprint` returned,
        `contents` what secrets of the build hold, by digest.

        Raises BuildTrouble; nothing that runs is touched."""

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """Have the release of a revision made earlier, which may have been removed: out of a registry, or made again.

        Returns why that cannot be, and "" when it is here. Touches nothing that runs."""

    async def forget(self) -> tuple[str, ...]:
        """Delete what the project left outside its own folder, once nothing of it runs. Returns a line for each."""

    async def written(self, release: str) -> Written:
        """Files that were written into a release since it was made. Raises RuntimeTrouble."""

    async def belongings(self) -> tuple[str, ...]:
        """What users and services of the project have written and that goes with the project, a line each."""

    async def prune(self, keep: set[str]) -> None:
        """Delete releases, and contents of configs and secrets, that are not in `keep`.

        Files that were written into a release are kept, and are among the `belongings`."""

    async def check(self, service: Service, shell: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Reasons why the service could not be started here (missing command, unreadable folder). Starts nothing."""

    async def advise(self, service: Service, release: str | None) -> tuple[str, ...]:
        """What a person should know before replicas of it are started, a line each. Fetches and makes nothing."""

    async def unsupported(self, service: Service) -> tuple[str, ...]:
        """What the service asks for and this machine cannot do, a line each: a plan that starts it is refused."""

    def log_files(self, service: str) -> tuple[tuple[str, str], ...]:
        """(replica id, path) of the current log file of each replica of the service, newest replica last."""

    def container_logs(self, service: str) -> Sequence[tuple[ReplicaId, ReplicaLog]]:
        """Logs of replicas that are no files."""
