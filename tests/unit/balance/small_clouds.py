"""Small snapshots for the tests of the planner's pieces."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from watari.model.compute import (
    ComputeSnapshot,
    Host,
    HostName,
    Load,
    PastMove,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
H1, H2 = HostName("h1"), HostName("h2")


def host(name: HostName, cpus: float = 24.0) -> Host:
    return Host(name, ZoneName("az1"), cpus, 512 * 1024, 8000)


def server(name: str, on: HostName = H1, vcpus: int = 4, memory_gib: int = 8, disk_gib: int = 0) -> Server:
    return Server(ServerId(name), name, on, vcpus, memory_gib * 1024, disk_gib)


def load(steal: float = 0.0, per_vcpu: float = 0.5, cores: float = 1.0, at: datetime = NOON) -> Load:
    return Load(steal, per_vcpu, cores, at)


def snapshot(
    servers: Sequence[Server],
    loads: Mapping[str, Load],
    *,
    at: datetime = NOON,
    hosts: Sequence[Host] = (),
    groups: Sequence[ServerGroup] = (),
    past: Sequence[PastMove] = (),
) -> ComputeSnapshot:
    fleet = hosts or [host(H1), host(H2)]
    return ComputeSnapshot(
        taken_at=at,
        hosts={h.name: h for h in fleet},
        servers={s.id: s for s in servers},
        loads={ServerId(name): value for name, value in loads.items()},
        groups={g.id: g for g in groups},
        past=tuple(past),
    )


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)
