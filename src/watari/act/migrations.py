"""Move a server, live or cold. Done means that the server *is* on the target, whatever the status word says."""

from dataclasses import dataclass, field
from datetime import datetime

from watari.act.outcomes import Arrived, Done, Failed, Outcome, Progress
from watari.errors import Refused
from watari.model.compute import Server
from watari.plan.steps import ColdMigrate, LiveMigrate, Move
from watari.ports import Compute, MigrationId, Style

LIVE = ("ACTIVE", "MIGRATING")
BROKEN = ("ERROR", "UNKNOWN")  # where it is does not count then: nobody can use it
COLD = ("ACTIVE", "SHUTOFF", "RESIZE", "VERIFY_RESIZE")


@dataclass(frozen=True, slots=True)
class LiveMigration:
    """Handler of LiveMigrate. `style`: how moves may treat their guests."""

    compute: Compute
    style: Style = field(default_factory=Style)

    def check(self, step: LiveMigrate) -> Done | Failed | None:
        server = self.compute.locate(step.server)
        return _misplaced(step, server) or _wrong_state(server, LIVE, "ACTIVE servers move live")

    def start(self, step: LiveMigrate) -> str:
        return self.compute.start_live_migration(step.server, step.target, step.bandwidth_mib_s, self.style)

    def poll(self, step: LiveMigrate, handle: str) -> Outcome:
        try:
            migration = self.compute.migration(MigrationId(handle))
        except Refused as e:  # clouds forget migrations that are over: where the server is decides
            return _judge(step, self.compute.locate(step.server), str(e))
        if not migration.over:
            return Progress(migration.done_mib, migration.total_mib, migration.rate_mib_s, migration.status)
        why = migration.error or f"the cloud says {migration.status}"
        return _judge(step, self.compute.locate(step.server), why)

    def hasten(self, step: LiveMigrate, handle: str) -> None:
        """Let it end soon. Raises Transient: ask again; Refused where it cannot be."""
        self.compute.force_migration(MigrationId(handle))

    @property
    def can_limit(self) -> bool:
        return self.compute.limits_moves

    def limit(self, step: LiveMigrate, handle: str, mib_s: float) -> bool:
        """Let it copy at that rate at most; False if that comes too late."""
        try:
            self.compute.limit_migration(MigrationId(handle), mib_s)
        except Refused:
            return False
        return True

    def confirm(self, step: LiveMigrate, handle: str) -> None:
        """Nothing waits for a word: a live migration that has arrived stays."""

    def find(self, step: LiveMigrate, since: datetime) -> str | None:
        found = self.compute.find_migration(step.server, step.target, since)
        return None if found is None else found.id

    def undo(self, step: LiveMigrate, handle: str) -> None:
        if self.compute.migration(MigrationId(handle)).over:
            return
        try:
            self.compute.abort_migration(MigrationId(handle))
        except Refused:  # it ended between the two calls
            return


@dataclass(frozen=True, slots=True)
class ColdMigration:
    """Handler of ColdMigrate: what has arrived is confirmed, so that the source gives its place back."""

    compute: Compute

    def check(self, step: ColdMigrate) -> Done | Failed | None:
        server = self.compute.locate(step.server)
        if server is not None and server.host == step.target and server.status == "VERIFY_RESIZE":
            return None  # it waits to be confirmed: found again, or refused
        return _misplaced(step, server) or _wrong_state(server, COLD, "servers that run or are off move cold")

    def start(self, step: ColdMigrate) -> str:
        return self.compute.start_cold_migration(step.server, step.target)

    def poll(self, step: ColdMigrate, handle: str) -> Outcome:
        try:
            migration = self.compute.migration(MigrationId(handle))
        except Refused as e:
            return _judge(step, self.compute.locate(step.server), str(e))
        if migration.status == "confirm":
            return Arrived()
        if not migration.over:
            return Progress(migration.done_mib, migration.total_mib, migration.rate_mib_s, migration.status)
        why = migration.error or f"the cloud says {migration.status}"
        return _judge(step, self.compute.locate(step.server), why)

    def confirm(self, step: ColdMigrate, handle: str) -> None:
        try:
            self.compute.confirm_migration(MigrationId(handle))
        except Refused:  # somebody confirmed or reverted it between the two calls: the next look decides
            return

    def find(self, step: ColdMigrate, since: datetime) -> str | None:
        found = self.compute.find_migration(step.server, step.target, since, "cold")
        return None if found is None else found.id

    def undo(self, step: ColdMigrate, handle: str) -> None:
        if self.compute.migration(MigrationId(handle)).status != "confirm":
            return
        try:
            self.compute.revert_migration(MigrationId(handle))
        except Refused:
            return


def _misplaced(step: Move, server: Server | None) -> Done | Failed | None:
    """Done already, or no longer as the plan saw it."""
    if server is None:
        return Failed("the server does not exist any more; plan again")
    if server.host == step.target and server.status in BROKEN:
        return Failed(f"is {server.status} on {step.target}: somebody has to look at it")
    if server.host == step.target:
        return Done(f"is on {step.target} already")
    if server.host != step.source:
        return Failed(f"is on {server.host}, not on {step.source} where the plan saw it; plan again")
    return None


def _wrong_state(server: Server | None, right: tuple[str, ...], words: str) -> Failed | None:
    if server is None or server.status in right:
        return None
    return Failed(f"is {server.status}; only {words}")


def _judge(step: Move, server: Server | None, why: str) -> Outcome:
    if server is None:
        return Failed("the server is gone")
    if server.host == step.target and server.status not in BROKEN:
        return Done()
    unharmed = server.host == step.source and server.status not in BROKEN
    return Failed(f"{why}; the server is {server.status} on {server.host}", unharmed)
