"""What the outside world must offer. Drivers implement these; nothing else does I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType, Protocol

from watari.model.compute import Flight, GroupId, Host, HostName, Load, PastMove, Server, ServerGroup, ServerId

MigrationId = NewType("MigrationId", str)
MigrationStatus = Literal["queued", "disk", "memory", "done", "failed", "aborted"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What exists and where, without loads."""

    cloud: str
    hosts: Mapping[HostName, Host]
    servers: Mapping[ServerId, Server]
    groups: Mapping[GroupId, ServerGroup]
    flights: tuple[Flight, ...]
    past: tuple[PastMove, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """A live migration as the cloud reports it. `status` is a word; where the server *is* decides."""

    id: MigrationId
    server: ServerId
    source: HostName
    target: HostName
    started: datetime
    status: MigrationStatus
    done_mib: float = 0.0
    total_mib: float = 0.0
    rate_mib_s: float = 0.0
    error: str = ""

    @property
    def over(self) -> bool:
        return self.status in ("done", "failed", "aborted")


class Clock(Protocol):
    """Time as the executor sees it; the simulator's is virtual."""

    def now(self) -> datetime:
        """The present, timezone-aware."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Compute(Protocol):
    """A cloud's servers and hosts. Every method may raise Transient (503, time-out); nothing changed then."""

    def inventory(self) -> Inventory: ...

    def locate(self, server: ServerId) -> Server | None:
        """The server as it is now; None if the cloud does not know it (any more)."""
        ...

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None
    ) -> MigrationId:
        """Ask for the move and return at once. Raises Refused if the cloud will not take it."""
        ...

    def migration(self, id: MigrationId) -> Migration:
        """Raises Refused for an id the cloud does not know."""
        ...

    def find_migration(self, server: ServerId, target: HostName, since: datetime) -> Migration | None:
        """The newest move asked for at or after `since`, running or over, so that a restarted process adopts it."""
        ...

    def abort_migration(self, id: MigrationId) -> None:
        """Stop a move that still copies; the server lives on at its source. Refused once it is over."""
        ...


class Meter(Protocol):
    """Where loads come from. A server without data is absent from the answer, never zero."""

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]: ...
