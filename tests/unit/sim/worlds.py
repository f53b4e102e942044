"""Small clouds for the simulator's tests."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.demand import TraceDemand
from watari.drivers.sim.faults import Faults
from watari.drivers.sim.spec import SimSpec
from watari.model.compute import Host, HostName, Server, ServerGroup, ServerId, ZoneName

START = datetime(2022, 6, 1, tzinfo=UTC)
A, B, C, D = (HostName(name) for name in "abcd")


def host(name: HostName, zone: str = "az1", cpus: float = 24, link_mib_s: float = 1000.0) -> Host:
    return Host(name, ZoneName(zone), cpus, 65536, 1000, link_mib_s=link_mib_s)


def server(name: str, on: HostName, vcpus: int = 4, memory_mib: int = 8000, disk_gib: int = 0) -> Server:
    return Server(ServerId(name), name, on, vcpus, memory_mib, disk_gib)


def cloud(
    servers: Sequence[Server],
    busy: Sequence[float] = (0.0,),
    *,
    hosts: Sequence[Host] | None = None,
    groups: Sequence[ServerGroup] = (),
    faults: Faults | None = None,
) -> SimCloud:
    """`busy`: share (0-1) of its vCPUs that each server asks for, going round."""
    fleet = tuple(hosts) if hosts else tuple(host(name) for name in (A, B, C, D))
    spec = SimSpec("small", fleet, tuple(servers), tuple(groups))
    demand = TraceDemand(np.array([[share] for share in busy]), 300.0, spec.vcpus)
    return SimCloud(spec, demand, START, faults=faults)


def took_s(sim: SimCloud, name: str) -> float:
    """Seconds of the only finished move of this server."""
    inventory = sim.inventory()
    (move,) = [move for move in inventory.past if move.server == name]
    found = sim.find_migration(move.server, move.target, START)
    assert found is not None
    return (move.ended - found.started).total_seconds()
