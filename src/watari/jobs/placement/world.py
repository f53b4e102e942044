"""The snapshot as arrays, once per plan: what every later decision reads.

Layout. Hosts are sorted by (zone, name), so that the hosts of zone z are the slice `zone_slice[z]`; servers keep the
snapshot's order. `host_of[s]` is the index of the host that a server runs on, `bound_for[s]` the one on which its
migration under way will end (-1: none). Demands are cores, memory MiB, disk GiB; steal is a share (0-1) of one vCPU's
time. A server whose load is missing, stale or not a number has `known[s]` False and zero in every load column.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from watari.jobs.placement.roles import roles_of
from watari.model.compute import ComputeSnapshot, Host, HostName, Load, Server, ServerId
from watari.policy.values import Policy

SETTLE_S = 300.0  # the longest window that meters commonly take means over
THROTTLED_ROUNDS = 5  # so long a host has to give too little before that is taken for its capacity
SKEW_S = 60.0
NOT_RUNNING = frozenset({"SHUTOFF", "STOPPED", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"})

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rounds = Mapping[str, int]  # host name -> consecutive rounds


@dataclass(frozen=True, slots=True)
class Readings:
    """Loads of all servers, in the order of `ids`; `age_s` is infinite without data."""

    ids: tuple[ServerId, ...]
    steal: Floats
    load: Floats
    demand: Floats
    age_s: Floats
    known: Bools
    capped: Ints  # servers that seem to ask for more than their vCPUs: the rest of it is an error of the meter


@dataclass(frozen=True, slots=True)
class World:
    """Arrays over hosts and servers; see the module's docstring for the layout."""

    snapshot: ComputeSnapshot
    hosts: tuple[Host, ...]
    servers: tuple[Server, ...]
    readings: Readings
    zone_names: tuple[str, ...]
    zone_of: Ints  # per host
    zone_slice: tuple[slice, ...]  # per zone
    cpus: Floats  # what a host can give, in cores
    memory_mib: Ints
    disk_gib: Ints
    vcpu_limit: Floats  # cpus x allocation ratio
    up: Bools
    host_of: Ints  # per server
    bound_for: Ints
    vcpus: Floats
    server_memory_mib: Ints
    server_disk_gib: Ints
    role_of: Ints  # per server, -1 without a role
    role_names: tuple[str, ...]
    by_host: Ints  # servers sorted by host; see `on`
    host_edges: Ints

    def on(self, h: int) -> Ints:
        """Servers that run on host `h` now, in the snapshot's order."""
        return self.by_host[self.host_edges[h] : self.host_edges[h + 1]]

    def host_sum(self, per_server: Floats | Ints, where: Ints | None = None) -> Floats:
        """Sum a server column per host, each server counted where it will be once the moves under way are over."""
        at = self.settled if where is None else where
        sums: Floats = np.bincount(at, per_server.astype(np.float64), len(self.hosts)).astype(np.float64)
        return sums

    @property
    def settled(self) -> Ints:
        """Host index per server once the migrations under way are over."""
        return np.where(self.bound_for >= 0, self.bound_for, self.host_of)


def read_loads(snapshot: ComputeSnapshot, stale_after_s: float) -> Readings:
    """Loads as columns; whatever is missing, older than `stale_after_s` or not a finite number is unknown.

    A server that does not run asks for nothing: that is known without a meter.
    """
    ids = tuple(snapshot.servers)
    found = list(map(snapshot.loads.get, ids))
    present = np.fromiter((load is not None for load in found), np.bool_, len(ids))
    loads = [load for load in found if load is not None]
    table = np.zeros((4, len(ids)))
    table[3] = np.inf
    for row, name in enumerate(("steal", "load_per_vcpu", "cpu_demand")):
        table[row, present] = np.fromiter(map(attrgetter(name), loads), np.float64, len(loads))
    table[3, present] = _ages_s(snapshot.taken_at, loads)
    known = np.isfinite(table).all(axis=0) & (table >= 0).all(axis=0) & (table[3] <= stale_after_s)
    servers = tuple(snapshot.servers.values())
    off = [i for i in np.flatnonzero(~known).tolist() if servers[i].status in NOT_RUNNING]
    table[:, off], known[off] = 0.0, True
    steal, load_, demand = np.where(known, table[:3], 0.0)
    vcpus = _floats(servers, "vcpus")
    capped = np.flatnonzero(demand > 1.05 * vcpus)
    return Readings(ids, steal, load_, np.minimum(demand, vcpus), table[3], known, capped)


def _ages_s(taken_at: datetime, loads: Sequence[Load]) -> Floats:
    """Seconds since each value was true; most loads share one datetime, so each is subtracted once."""
    ages = {at: _age_s((taken_at - at).total_seconds()) for at in set(map(attrgetter("at"), loads))}
    return np.fromiter(map(ages.__getitem__, map(attrgetter("at"), loads)), np.float64, len(loads))


def _age_s(seconds: float) -> float:
    """Clocks differ a little; a reading from further ahead than that is of no known time."""
    return max(0.0, seconds) if seconds >= -SKEW_S else np.inf


def build_world(
    snapshot: ComputeSnapshot,
    policy: Policy,
    readings: Readings | None = None,
    throttled_rounds: Rounds | None = None,
) -> World:
    """Turn a snapshot into arrays. O(hosts log hosts + servers).

    `readings` and `throttled_rounds` come from the memory of this snapshot, where there is one.
    """
    readings = readings or read_loads(snapshot, policy.detect.stale_after_s)
    hosts = tuple(sorted(snapshot.hosts.values(), key=attrgetter("zone", "name")))
    servers = tuple(snapshot.servers.values())
    index = {h.name: i for i, h in enumerate(hosts)}
    zones, zone_of, slices = _zones(hosts)
    host_of = np.fromiter(map(index.__getitem__, map(attrgetter("host"), servers)), np.int64, len(servers))
    role_of, role_names = roles_of(snapshot, servers, policy.roles)
    vcpus = _floats(servers, "vcpus")
    cpus = _floats(hosts, "cpus")
    by_host = np.argsort(host_of, kind="stable")
    return World(
        snapshot=snapshot,
        hosts=hosts,
        servers=servers,
        readings=readings,
        zone_names=zones,
        zone_of=zone_of,
        zone_slice=slices,
        cpus=_effective_cpus(hosts, host_of, vcpus, readings, settled(snapshot, hosts), throttled_rounds),
        memory_mib=_ints(hosts, "memory_mib"),
        disk_gib=_ints(hosts, "disk_gib"),
        vcpu_limit=cpus * _floats(hosts, "cpu_ratio"),
        up=np.fromiter((h.state == "up" for h in hosts), np.bool_, len(hosts)),
        host_of=host_of,
        bound_for=_bound_for(snapshot, readings.ids, index),
        vcpus=vcpus,
        server_memory_mib=_ints(servers, "memory_mib"),
        server_disk_gib=_ints(servers, "local_disk_gib"),
        role_of=role_of,
        role_names=role_names,
        by_host=by_host,
        host_edges=np.searchsorted(host_of[by_host], np.arange(len(hosts) + 1)),
    )


def snapshot_digest(world: World) -> str:
    """12 hex digits that change when a placement or a load changes."""
    h = hashlib.sha256(world.snapshot.taken_at.isoformat().encode())
    h.update("\0".join(world.readings.ids).encode())
    h.update("\0".join(host.name for host in world.hosts).encode())
    for column in (world.host_of, world.bound_for, world.readings.demand, world.readings.steal, world.readings.load):
        h.update(np.ascontiguousarray(column).tobytes())
    return h.hexdigest()[:12]


def settled(snapshot: ComputeSnapshot, hosts: Sequence[Host]) -> Bools:
    """Hosts that no move left or reached within the window that loads are means over."""
    since = snapshot.taken_at - timedelta(seconds=SETTLE_S)
    recent = [m for m in snapshot.past if m.done and m.ended > since]
    stirred = {m.source for m in recent} | {m.target for m in recent}
    return np.fromiter((h.name not in stirred for h in hosts), np.bool_, len(hosts))


def throttled(cpus: Floats, host_of: Ints, vcpus: Floats, readings: Readings, settled: Bools) -> tuple[Bools, Floats]:
    """Hosts that seem to give less than their threads, and the cores that every host gave.

    A host that steals at 20 of 24 threads (pinning, NUMA, a throttled socket) has 20 to give. It seems so only when
    every server there is known, more than 2 % of what they asked for was not given, and the gap is over 10 %:
    migrations under way explain less than that. A host that gives less than half is not judged: a quota
    of its servers' flavors explains it better. Nor is a host that is not `settled`: its servers
    still report the steal of before the move, which they suffered from others' demand.
    """
    n = len(cpus)
    demand = np.bincount(host_of, readings.demand, n)
    stolen = np.bincount(host_of, readings.steal * vcpus, n)
    blind = np.bincount(host_of, ~readings.known, n) > 0
    gave = np.subtract(demand, stolen, dtype=np.float64)
    return settled & ~blind & (stolen > 0.02 * demand) & (gave > 0.5 * cpus) & (gave < 0.9 * cpus), gave


def _effective_cpus(
    hosts: Sequence[Host], host_of: Ints, vcpus: Floats, readings: Readings, settled: Bools, rounds: Rounds | None
) -> Floats:
    """What a host really gives: its threads, or what it gave while its servers were waiting.

    A burst inside one metering window looks like a throttled host too, so with a memory it has to last.
    """
    cpus = _floats(hosts, "cpus")
    seems, gave = throttled(cpus, host_of, vcpus, readings, settled)
    if rounds is not None:
        seems &= np.fromiter((rounds.get(h.name, 0) >= THROTTLED_ROUNDS for h in hosts), np.bool_, len(hosts))
    return np.where(seems, gave, cpus)


def _zones(hosts: Sequence[Host]) -> tuple[tuple[str, ...], Ints, tuple[slice, ...]]:
    names = tuple(dict.fromkeys(h.zone for h in hosts))
    number = {z: i for i, z in enumerate(names)}
    zone_of = np.fromiter((number[h.zone] for h in hosts), np.int64, len(hosts))
    edges = np.searchsorted(zone_of, np.arange(len(names) + 1))
    return names, zone_of, tuple(slice(int(a), int(b)) for a, b in pairwise(edges))


def _bound_for(snapshot: ComputeSnapshot, ids: Sequence[ServerId], index: dict[HostName, int]) -> Ints:
    bound = np.full(len(ids), -1, np.int64)
    if snapshot.flights:
        number = {id_: i for i, id_ in enumerate(ids)}
        for flight in snapshot.flights:
            if flight.server in number and flight.target in index:
                bound[number[flight.server]] = index[flight.target]
    return bound


def _ints(things: Sequence[object], name: str) -> Ints:
    return np.fromiter(map(attrgetter(name), things), np.int64, len(things))


def _floats(things: Sequence[object], name: str) -> Floats:
    return np.fromiter(map(attrgetter(name), things), np.float64, len(things))
