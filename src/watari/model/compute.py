"""Hosts, servers and their load, as one reading of the cloud saw them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NewType

HostName = NewType("HostName", str)
ServerId = NewType("ServerId", str)
GroupId = NewType("GroupId", str)
ZoneName = NewType("ZoneName", str)

HostState = Literal["up", "disabled", "draining", "down"]
GroupPolicy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


@dataclass(frozen=True, slots=True)
class Host:
    """A hypervisor.

    `cpus` are hardware threads that guests may use; `cpu_ratio` is how many vCPUs may be placed on each of them (Nova's
    `cpu_allocation_ratio`). `memory_mib` and `disk_gib` are what guests may use, reservations already taken off.
    `link_mib_s` is the network that migrations use, in MiB/s.
    """

    name: HostName
    zone: ZoneName
    cpus: float
    memory_mib: int
    disk_gib: int
    cpu_ratio: float = 16.0
    link_mib_s: float = 1192.0  # 10 Gbit/s
    state: HostState = "up"
    state_note: str = ""
    rack: str = ""
    aggregates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Server:
    """A VM. `local_disk_gib` is what a live migration has to copy: 0 when its disks lie on shared storage.

    Its role (web, db ...) is not a field: the policy says how it is found (metadata, server group, name).
    """

    id: ServerId
    name: str
    host: HostName
    vcpus: int
    memory_mib: int
    local_disk_gib: int = 0
    project: str = ""
    flavor: str = ""
    status: str = "ACTIVE"
    aggregates: frozenset[str] = frozenset()  # the destination must be in all of them
    pinned_by: str = ""  # why it can never be moved live (a PCI device …); empty: it can
    metadata: Mapping[str, str] = field(default_factory=dict)
    no_cold: str = ""  # why it can never be moved cold; empty: it can


@dataclass(frozen=True, slots=True)
class ServerGroup:
    """Servers that Nova keeps together or apart."""

    id: GroupId
    name: str
    policy: GroupPolicy
    members: frozenset[ServerId]


@dataclass(frozen=True, slots=True)
class Load:
    """What a server suffered over the metering window.

    `steal`: mean over its vCPUs of the share of time (0-1) in which a vCPU wanted to run and was not run: what
    /proc/stat calls steal, and the host's vCPU delay divided by vCPUs. `load_per_vcpu`: its load average per vCPU.
    `cpu_demand`: cores it asked for, given or not. `at`: when the value was true; `source`: who measured it.
    """

    steal: float
    load_per_vcpu: float
    cpu_demand: float
    at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Flight:
    """A migration under way: its server still counts at `source`, its place at `target` is taken already."""

    server: ServerId
    source: HostName
    target: HostName
    since: datetime


@dataclass(frozen=True, slots=True)
class PastMove:
    """A migration that is over, from the cloud's own record: cool-down and cycle breaker look at it.

    `benefit`: by how much steal (a share 0-1 of a vCPU's time) fell, before minus after, of the server that gained most
    of those that the move was made for: itself, or neighbours that it left behind. 0 or less: the move did not help,
    and by so much it got worse; a fall that is too small to matter counts as 0. None: not measured, or demand explains
    it as well.
    """

    server: ServerId
    source: HostName
    target: HostName
    ended: datetime
    done: bool = True  # False: failed or aborted, the server stayed
    benefit: float | None = None

    @property
    def no_help(self) -> bool:
        """It was made, measured, and did not help."""
        return self.done and self.benefit is not None and self.benefit <= 0


@dataclass(frozen=True, slots=True)
class Membership:
    """A server does work that an orchestrator gave it: `member` is what that one calls it (its node's name).

    `orchestrator` is a name from the cloud's configuration.
    """

    orchestrator: str
    member: str


@dataclass(frozen=True, slots=True)
class ComputeSnapshot:
    """One immutable reading of a cloud. A server without an entry in `loads` sends no data: unknown, never idle."""

    taken_at: datetime
    hosts: Mapping[HostName, Host]
    servers: Mapping[ServerId, Server]
    loads: Mapping[ServerId, Load]
    groups: Mapping[GroupId, ServerGroup] = field(default_factory=dict)
    flights: tuple[Flight, ...] = ()
    past: tuple[PastMove, ...] = ()
    cloud: str = ""
    # In the order in which a server has to leave its orchestrators; it comes back in reverse.
    memberships: Mapping[ServerId, tuple[Membership, ...]] = field(default_factory=dict)

    def age_s(self, server: ServerId) -> float | None:
        """Seconds between the server's load and the snapshot; None without data."""
        load = self.loads.get(server)
        return None if load is None else (self.taken_at - load.at).total_seconds()
