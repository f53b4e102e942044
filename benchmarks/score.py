"""One neutral judge for everybody's plan: what a placement leaves starved, what it cost and which rules it broke."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.cluster import Cluster

STARVED_STEAL = 0.05  # 0-1: a server on a host that withholds more than this of what it is asked for is starved
ROUNDING = 1e-9  # sums of loads in another order differ by this much; no host is over its capacity by it


@dataclass(frozen=True, slots=True)
class Score:
    """What a placement is worth, against the cluster's placement before the plan.

    `hosts_over`: hosts that are asked for more CPU than they have. `starved`: servers on hosts with over 5 % steal,
    where a host's steal is 1 - capacity / demand (fluid share). `memory_over`: hosts with more memory given than they
    have. `zone_violations`: servers in another zone than before. `role_violations`: roles that are less spread than
    before: more servers of the role on its fullest host, or fewer hosts that have one.
    """

    hosts_over: int
    starved: int
    fullest_host: float  # demand as a share of the CPUs
    moves: int
    moved_gib: float  # memory of the moved servers; the benchmark's disks lie on shared storage
    memory_over: int
    zone_violations: int
    role_violations: int


def score(cluster: Cluster, placement: Sequence[int] | None = None) -> Score:
    """Judge a placement (per server a host index; None: as it is). ValueError if it does not fit the cluster."""
    before = np.array(cluster.placement, dtype=np.int64)
    after = before if placement is None else np.array(placement, dtype=np.int64)
    hosts = len(cluster.hosts)
    if after.shape != before.shape or (after.size and not 0 <= after.min() <= after.max() < hosts):
        raise ValueError(f"the placement must name one of {hosts} hosts for each of {before.size} servers")
    demand = np.array([server.demand for server in cluster.servers])
    memory_mib = np.array([server.memory_mib for server in cluster.servers], dtype=np.int64)
    capacity = np.array([host.cpus for host in cluster.hosts], dtype=np.float64)
    host_memory_mib = np.array([host.memory_mib for host in cluster.hosts])

    share = np.bincount(after, demand, hosts) / capacity
    steal = 1.0 - 1.0 / np.maximum(1.0, share)
    moved = before != after
    zones = np.unique([host.zone for host in cluster.hosts], return_inverse=True)[1]
    return Score(
        hosts_over=int(np.sum(share > 1.0 + ROUNDING)),
        starved=int(np.sum(steal[after] > STARVED_STEAL + ROUNDING)),
        fullest_host=float(share.max(initial=0.0)),
        moves=int(moved.sum()),
        moved_gib=float(memory_mib[moved].sum() / 1024),
        memory_over=int(np.sum(np.bincount(after, memory_mib, hosts) > host_memory_mib)),
        zone_violations=int(np.sum(zones[before] != zones[after])),
        role_violations=_less_spread(cluster, before, after),
    )


def _less_spread(cluster: Cluster, before: NDArray[np.int64], after: NDArray[np.int64]) -> int:
    names, role = np.unique([server.role for server in cluster.servers], return_inverse=True)
    fullest_before, distinct_before = _spread(role, before, len(names), len(cluster.hosts))
    fullest_after, distinct_after = _spread(role, after, len(names), len(cluster.hosts))
    return int(np.sum((fullest_after > fullest_before) | (distinct_after < distinct_before)))


def _spread(
    role: NDArray[np.int64], host: NDArray[np.int64], roles: int, hosts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per role: how many of it share its fullest host, and on how many hosts it is."""
    pairs, together = np.unique(role * hosts + host, return_counts=True)
    fullest = np.zeros(roles, dtype=np.int64)
    np.maximum.at(fullest, pairs // hosts, together)
    return fullest, np.bincount(pairs // hosts, minlength=roles)
