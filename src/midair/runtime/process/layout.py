"""Where the process runtime keeps the files of one project, and who may reach them."""

from pathlib import Path

import msgspec

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId, ordinal_of, replica_id, revision_of, service_of


class Layout(msgspec.Struct, frozen=True):
    """The folders of a project below a midair home."""

    home: Path
    project: str

    @property
    def folder(self) -> Path:
        """Everything of the project."""
        return self.home / "projects" / self.project

    @property
    def replicas(self) -> Path:
        """One folder per replica: its record and its pid files."""
        return self.folder / "replicas"

    @property
    def releases(self) -> Path:
        """One folder per release."""
        return self.folder / "releases"

    @property
    def made(self) -> Path:
        """One empty file per release; its time is when the release was whole."""
        return self.folder / "made"

    @property
    def shared(self) -> Path:
        """Files that releases share: one folder per build folder."""
        return self.folder / "shared"

    @property
    def volumes(self) -> Path:
        """Named volumes that are links in releases: one folder each."""
        return self.folder / "volumes"

    @property
    def left(self) -> Path:
        """What was written into releases that are no more: one folder per release."""
        return self.folder / "left"

    @property
    def blobs(self) -> Path:
        """Contents that releases share, by digest."""
        return self.folder / "blobs"

    @property
    def digests(self) -> Path:
        """What is known about the contents of files that have not changed since."""
        return self.folder / "digests"

    @property
    def logs(self) -> Path:
        """One folder per service."""
        return self.folder / "logs"

    def flags(self, *, of_others: bool) -> Path:
        """Where the daemon serves flags. Users other than its own have a door to those of this project alone."""
        return (self.folder / "inside" if of_others else self.home) / "flags.sock"

    def replica(self, replica: ReplicaId) -> Path:
        """The folder of one replica."""
        return self.replicas.joinpath(*_parts(replica))

    def pid_file(self, replica: ReplicaId, attempt: int) -> Path:
        """Written once, by the process itself, before it becomes the service's command."""
        return self.replica(replica) / f"pid.{attempt}"

    def log(self, replica: ReplicaId) -> Path:
        """The current log of one replica."""
        service, revision, ordinal = _parts(replica)
        return self.logs / service / f"{revision}.{ordinal}.log"

    def release(self, release: str) -> Path:
        """The folder of one release."""
        return self.releases / release

    def make(self) -> None:
        """Make the folders, for this user alone. Raises OSError."""
        for folder in (self.folder.parent, self.folder, self.replicas, self.logs, self.blobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.releases.mkdir(mode=0o711, exist_ok=True)

    def let_through(self) -> None:
        """Let replicas of other users pass to their releases, without seeing what else is there."""
        for folder in (self.home, self.folder.parent, self.folder, self.releases, self.shared, self.volumes):
            if not folder.exists():
                continue
            mode = folder.stat().st_mode & 0o777
            if mode & 0o011 != 0o011:
                folder.chmod(mode | 0o011)


def replica_of_log(log: Path) -> ReplicaId:
    """The replica a log belongs to: the inverse of `Layout.log`."""
    revision, ordinal = log.name.removesuffix(".log").rsplit(".", 1)
    return replica_id(log.parent.name, revision, int(ordinal))


def _parts(replica: ReplicaId) -> tuple[str, str, str]:
    parts = (service_of(replica), revision_of(replica), str(ordinal_of(replica)))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise RuntimeTrouble(f'cannot keep files for replica "{replica}": this is no usable name')
    return parts
