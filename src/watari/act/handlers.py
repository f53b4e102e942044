"""How each verb is asked for, watched, found again and undone. The same handlers serve every executor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from watari.errors import Refused
from watari.plan.steps import LiveMigrate, Step
from watari.ports import Compute, MigrationId


@dataclass(frozen=True, slots=True)
class Progress:
    """Still going on: MiB so far, MiB expected, MiB/s now."""

    done_mib: float
    total_mib: float
    rate_mib_s: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The world is as the step wants it."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It is over and the world is not as the step wants it."""

    text: str


Outcome = Progress | Done | Failed
S = TypeVar("S", contravariant=True)


class Handler(Protocol[S]):
    """One verb. Every method may raise Transient (nothing changed: call again) and Refused (it never will)."""

    def check(self, step: S) -> Done | Failed | None:
        """Before anything is asked: done already, impossible by now (stale), or None: go on."""
        ...

    def start(self, step: S) -> str:
        """Ask and return the handle at once."""
        ...

    def poll(self, step: S, handle: str) -> Outcome: ...

    def find(self, step: S, since: datetime) -> str | None:
        """The handle of what an earlier process asked for at or after `since`."""
        ...

    def undo(self, step: S, handle: str) -> None:
        """Stop what can be stopped. A server that has arrived stays where it is: moving back is a new move."""
        ...


@dataclass(frozen=True, slots=True)
class LiveMigration:
    """Handler of LiveMigrate. Done means that the server *is* on the target, whatever the status word says."""

    compute: Compute

    def check(self, step: LiveMigrate) -> Done | Failed | None:
        server = self.compute.locate(step.server)
        if server is None:
            return Failed("the server does not exist any more; plan again")
        if server.host == step.target:
            return Done(f"is on {step.target} already")
        if server.host != step.source:
            return Failed(f"is on {server.host}, not on {step.source} where the plan saw it; plan again")
        if server.status not in ("ACTIVE", "MIGRATING"):
            return Failed(f"is {server.status}; only ACTIVE servers move live")
        return None

    def start(self, step: LiveMigrate) -> str:
        return self.compute.start_live_migration(step.server, step.target, step.bandwidth_mib_s)

    def poll(self, step: LiveMigrate, handle: str) -> Outcome:
        try:
            migration = self.compute.migration(MigrationId(handle))
        except Refused as e:  # clouds forget migrations that are over: where the server is decides
            return self._judge(step, str(e))
        if not migration.over:
            return Progress(migration.done_mib, migration.total_mib, migration.rate_mib_s, migration.status)
        return self._judge(step, migration.error or f"the cloud says {migration.status}")

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

    def _judge(self, step: LiveMigrate, why: str) -> Outcome:
        server = self.compute.locate(step.server)
        if server is None:
            return Failed("the server is gone")
        if server.host == step.target:
            return Done()
        return Failed(f"{why}; the server is {server.status} on {server.host}")


def handlers(compute: Compute) -> dict[type[Step], Handler[Step]]:
    """The table of verbs."""
    return {LiveMigrate: LiveMigration(compute)}
