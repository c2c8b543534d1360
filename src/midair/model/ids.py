"""How names of things are formed and parsed. Ids are derived, never drawn, so doing a thing twice is harmless."""

from typing import NewType

ServiceName = NewType("ServiceName", str)  # as in the Compose file
RevisionId = NewType("RevisionId", str)  # content address, 8 hex digits
ReplicaId = NewType("ReplicaId", str)  # web/7f3a91c2/0: service / revision / ordinal
ChangeId = NewType("ChangeId", int)  # 1, 2, 3 … within a project

FOREIGN = RevisionId("compose")  # what runtimes call the revision of replicas that midair did not make


def replica_id(service: str, revision: str, ordinal: int) -> ReplicaId:
    """The id of the replica of `service` at `revision` that has place `ordinal`, counted from 0."""
    return ReplicaId(f"{service}/{revision}/{ordinal}")


def service_of(replica: ReplicaId) -> ServiceName:
    """The service part of a replica's id."""
    return ServiceName(replica.split("/", 1)[0])


def revision_of(replica: ReplicaId) -> RevisionId:
    """The revision part of a replica's id."""
    return RevisionId(replica.split("/", 2)[1])


def ordinal_of(replica: ReplicaId) -> int:
    """The ordinal part of a replica's id."""
    return int(replica.rsplit("/", 1)[1])
