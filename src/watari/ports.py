"""What the outside world must offer. Drivers implement these; nothing else does I/O."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType, Protocol

from watari.model.compute import Flight, GroupId, Host, HostName, Load, PastMove, Server, ServerGroup, ServerId
from watari.model.readings import Told

MigrationId = NewType("MigrationId", str)
MigrationKind = Literal["live", "cold", "evacuation"]
MigrationStatus = Literal["queued", "disk", "memory", "confirm", "done", "failed", "aborted"]


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
    """A migration as the cloud reports it. `status` is a word; where the server *is* decides.

    `confirm`: a cold migration has arrived and the cloud waits to hear whether it may stay. It is not over.
    """

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
    kind: MigrationKind = "live"

    @property
    def over(self) -> bool:
        return self.status in ("done", "failed", "aborted")


@dataclass(frozen=True, slots=True)
class Style:
    """How a live move may treat its guest, where a single move can be told: libvirt's; Nova's go as nova.conf says.

    `max_downtime_s`: the pause at its end. `auto_converge`: a guest that writes faster than is copied is slowed down.
    `post_copy_after_s`: so long after it began it is switched over, and what is left follows; None: never, as a broken
    link would then cost the guest.
    """

    max_downtime_s: float = 0.5
    auto_converge: bool = True
    post_copy_after_s: float | None = None


class Clock(Protocol):
    """Time as the executor sees it; the simulator's is virtual."""

    def now(self) -> datetime:
        """The present, timezone-aware."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Compute(Protocol):
    """A cloud's servers and hosts.

    Every method that reads may raise Transient (503, time-out). So may every method that asks for a change; then nobody
    knows whether the cloud heard it, and the caller looks (`find_migration`, `host`, `locate`) before it asks again.

    `limits_moves`: how fast a single move copies can be set, and changed while it does.
    """

    limits_moves: bool

    def inventory(self) -> Inventory: ...

    def flights(self) -> tuple[Flight, ...]:
        """The migrations under way, whoever asked for them: a small part of `inventory`, for those who look often."""
        ...

    def locate(self, server: ServerId) -> Server | None:
        """The server as it is now; None if the cloud does not know it (any more)."""
        ...

    def host(self, name: HostName) -> Host | None:
        """The host as it is now, with `state` and `state_note`; None if the cloud does not know it."""
        ...

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        """Ask for the move and return at once. Raises Refused if the cloud will not take it.

        Bandwidth and style are wishes: clouds that cannot tell a single move (Nova) move as they are set to.
        """
        ...

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        """Ask that the server be stopped, copied and started on `target`; what was off stays off. Raises Refused."""
        ...

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        """Ask that a server of a dead host be rebuilt elsewhere. Raises Refused while the cloud takes its host for up.

        The caller has proof that the host is dead: a guest that still runs there would exist twice.
        """
        ...

    def migration(self, id: MigrationId) -> Migration:
        """Raises Refused for an id the cloud does not know."""
        ...

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        """The newest move of that kind asked for at or after `since`, running or over: a restarted process adopts it.

        Targets of evacuations may be the cloud's choice: for those `target` is not compared.
        """
        ...

    def abort_migration(self, id: MigrationId) -> None:
        """Stop a live move that still copies; the server lives on at its source. Refused once it is over."""
        ...

    def force_migration(self, id: MigrationId) -> None:
        """Let a live move that still copies end soon: by post-copy, or by a longer pause. Refused once it is over."""
        ...

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        """Let a live move copy at that rate at most from now on. Nothing where a single move cannot be limited."""
        ...

    def confirm_migration(self, id: MigrationId) -> None:
        """Let a cold-migrated server stay where it is. Refused unless its status is `confirm`."""
        ...

    def revert_migration(self, id: MigrationId) -> None:
        """Send a cold-migrated server back to its source. Refused unless its status is `confirm`."""
        ...

    def disable_host(self, host: HostName, reason: str) -> None:
        """Place nothing there any more; servers on it stay. Repeating it is harmless, the newest reason counts."""
        ...

    def enable_host(self, host: HostName) -> None:
        """Place servers there again. Repeating it is harmless."""
        ...


class Storage(Protocol):
    """What a hyper-converged host has to ask before it is emptied or switched off: its disks hold others' data."""

    def why_not_stop(self, host: HostName) -> str:
        """Why the disks of `host` must not go away now, in words for a person; empty if they may."""
        ...

    def quiesce(self, host: HostName) -> None:
        """Tell the storage that the disks of `host` will be away for a while and need not be rebuilt elsewhere."""
        ...

    def resume(self, host: HostName) -> None:
        """The disks of `host` are back."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How a member stands with its orchestrator.

    `out`: it is given no work (cordoned, in maintenance). `ours`: because Watari asked for that. `serving`: it is given
    work and is fit for it (Ready, all checks pass). `left`: what of its work has to leave yet, in words ("3 pods: …").
    `note`: why it does not serve, in words for a person.
    """

    out: bool
    serving: bool
    ours: bool = False
    left: str = ""
    note: str = ""


class Orchestrator(Protocol):
    """What gives servers work: Kubernetes, Consul, a load balancer. Every method may raise Transient and Permanent.

    A change whose answer was lost may be asked for again: all of them are idempotent. docs/reference/orchestrators.md
    tells how to write one; watari.conformance has the tests that each has to pass.
    """

    name: str

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """Which of these servers work for it, and what it calls them. A few calls for thousands of servers."""
        ...

    def standing(self, member: str, was: str = "") -> Standing | None:
        """None for one that it does not know (any more). What did not pass in `was` need not pass now to serve."""
        ...

    def was(self, member: str) -> str:
        """What `attach` has to know to give back exactly what was before `detach`; opaque to the caller.

        Of a member that is out of service because of us: what it was before that, if the orchestrator keeps it.
        """
        ...

    def why_not(self, member: str) -> str:
        """Why it must not leave now, in words: a quorum, the last instance of a service. Empty if it may."""
        ...

    def detach(self, member: str, reason: str) -> None:
        """Give it no more work, leave our mark with `reason`, and make what it has go elsewhere. Returns at once.

        It is called again every few seconds until nothing is `left`: what refuses to leave is asked again then.
        """
        ...

    def attach(self, member: str, was: str) -> None:
        """Give it work again, as before; take our mark away. One that somebody else took out of service stays out."""
        ...

    def left_out(self) -> Mapping[str, str]:
        """Members that are out of service because of us, with the reason that we left: somebody has to look at them."""
        ...


class Meter(Protocol):
    """Where loads come from. A server without data is absent from the answer, never zero."""

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]: ...


class Gauge(Protocol):
    """A meter that may be one of several: what it does not know another one may. docs/reference/meters.md lists them.

    `name` is what findings and sources call it. `settle_s`: so long after a move its values are of after the move.
    watari.conformance.meter has the tests that each has to pass.
    """

    name: str
    settle_s: float

    def read(self, servers: Collection[ServerId]) -> Told:
        """What it knows of those servers and why it does not know the rest. A few calls for thousands of servers.

        What answers in part gives what it has. Raises Transient or Permanent when nothing can be had from it.
        """
        ...
