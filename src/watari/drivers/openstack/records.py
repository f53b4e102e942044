"""Nova's migration records: where something goes, how far it is, and what is over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from watari.drivers.openstack.actions import Action
from watari.drivers.openstack.calls import Calls, Json, Version
from watari.drivers.openstack.times import moment, second_of
from watari.errors import Refused
from watari.model.compute import HostName, PastMove, ServerId
from watari.ports import MigrationKind, MigrationStatus

LIST = Version("2.59", "2.59", "reading migrations in pages and since a moment")
PROGRESS = Version("2.59", "2.23", "reading a live migration's progress")
KINDS: dict[str, MigrationKind] = {
    "live-migration": "live", "migration": "cold", "resize": "cold", "evacuation": "evacuation",
}  # fmt: skip
TYPES: dict[MigrationKind, str] = {"live": "live-migration", "cold": "migration", "evacuation": "evacuation"}
# nova.objects.fields and nova.compute.manager: what each status stands for. Whatever is not here goes on.
STATUSES: dict[MigrationKind, dict[str, MigrationStatus]] = {
    "live": {
        "accepted": "queued", "queued": "queued", "preparing": "queued", "running": "memory",
        "post-migrating": "memory", "completed": "done", "cancelled": "aborted", "error": "failed", "failed": "failed",
    },
    "cold": {
        "accepted": "queued", "pre-migrating": "queued", "migrating": "disk", "post-migrating": "disk",
        "finished": "confirm", "confirming": "memory", "reverting": "memory", "confirmed": "done", "completed": "done",
        "done": "done", "reverted": "aborted", "error": "failed", "failed": "failed",
    },
    "evacuation": {
        "accepted": "queued", "pre-migrating": "disk", "done": "done", "completed": "done", "error": "failed",
        "failed": "failed",
    },
}  # fmt: skip
OVER: frozenset[MigrationStatus] = frozenset({"done", "failed", "aborted"})
SKEW = timedelta(seconds=2)  # between the clocks of an API and a conductor, where no event tells
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One migration record. `target` is empty until the scheduler has chosen or accepted one."""

    number: int
    server: ServerId
    kind: MigrationKind
    word: str  # Nova's own status
    status: MigrationStatus
    source: HostName
    target: HostName
    began: datetime
    changed: datetime

    @property
    def over(self) -> bool:
        return self.status in OVER

    @property
    def in_place(self) -> bool:
        """Whether it goes from a host to the same one: a resize, not a move."""
        return self.source == self.target

    @property
    def flies(self) -> bool:
        """Whether it is under way: not over, not there already (a cold move that waits to be confirmed), and a move."""
        return not self.over and self.status != "confirm" and not self.in_place

    def past(self) -> PastMove:
        return PastMove(self.server, self.source, self.target, self.changed, self.status == "done")


@dataclass(frozen=True, slots=True)
class Copied:
    """How far a live migration is. `sent_mib` counts what was sent twice, too."""

    disk_left: bool
    done_mib: float
    total_mib: float
    sent_mib: float


def records_since(calls: Calls, since: datetime) -> Iterator[Record]:
    """Every record that changed at or after `since`, newest first."""
    params = {"changes-since": second_of(since).strftime("%Y-%m-%dT%H:%M:%SZ")}
    for rows in calls.pages("/os-migrations", "migrations", LIST, "list the migrations of all projects", params):
        yield from (record_of(row) for row in rows if row["migration_type"] in KINDS)


def records_of(calls: Calls, server: ServerId, kind: MigrationKind | None = None) -> list[Record]:
    """A server's records, newest first; of the newest page, for a server has few under way."""
    params = {"instance_uuid": str(server)} | ({"migration_type": TYPES[kind]} if kind else {})
    rows = next(calls.pages("/os-migrations", "migrations", LIST, f"list the migrations of server {server}", params))
    return [record_of(row) for row in rows if row["migration_type"] in KINDS]


def record_of(row: Json) -> Record:
    kind = KINDS[row["migration_type"]]
    began = moment(row["created_at"])
    return Record(
        number=int(row["id"]), server=ServerId(row["instance_uuid"]), kind=kind, word=row["status"],
        status=STATUSES[kind].get(row["status"], "queued"), source=HostName(row["source_compute"] or ""),
        target=HostName(row["dest_compute"] or ""), began=began,
        changed=moment(row["updated_at"]) if row["updated_at"] else began,
    )  # fmt: skip


def record_for(action: Action, records: list[Record]) -> Record | None:
    """The record of a request: Nova does not link them, so it is the one made while the conductor worked on it.

    Both moments are of one clock then. An evacuation's record is made by the API just after the request is noted.
    """
    event = action.conducted
    if event is None or (records and records[0].kind == "evacuation"):
        made = [r for r in records if r.began >= action.began - (SKEW if event is None else timedelta(0))]
    else:
        made = [r for r in records if event.began <= r.began and (event.ended is None or r.began <= event.ended)]
    return min(made, key=lambda r: (r.began, r.number), default=None)


def copied(calls: Calls, record: Record) -> tuple[Record, Copied | None] | None:
    """A live migration under way with its progress, None for numbers that are not known yet; None if it is over."""
    path = f"/servers/{record.server}/migrations/{record.number}"
    try:
        row = calls.get(path, PROGRESS, f"show migration {record.number} of server {record.server}")["migration"]
    except Refused:  # only those that copy are found here
        return None
    seen = record_of({**row, "migration_type": TYPES["live"], "instance_uuid": row["server_uuid"]})
    total = (row["memory_total_bytes"] or 0) + (row["disk_total_bytes"] or 0)
    if not total:
        return seen, None
    disk_left = row["disk_remaining_bytes"] or 0
    left = (row["memory_remaining_bytes"] or 0) + disk_left
    sent = (row["memory_processed_bytes"] or 0) + (row["disk_processed_bytes"] or 0)
    return seen, Copied(disk_left > 0, max(total - left, 0) / MIB, total / MIB, sent / MIB)
