"""Make clouds to simulate: one of the size of the 2022 account, and the clusters of the benchmark."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np

from watari.drivers.sim.contention import FloatArray
from watari.drivers.sim.demand import DailyDemand, Shape
from watari.drivers.sim.spec import SimSpec
from watari.errors import BadInput
from watari.model.compute import GroupId, Host, HostName, Server, ServerGroup, ServerId, ZoneName

__all__ = ["SimSpec", "account_cloud", "benchmark_cluster", "demand_for", "replay_cluster"]

ZONES = 3
THREADS = 24
MEMORY_MIB = 512 * 1024
DISK_GIB = 8000
RACK = 20
SKEW = 0.45  # sigma of the lognormal weights by which hosts fill up
VCPUS_PER_THREAD = 6  # no host is filled further than this
MEMORY_PER_VCPU_MIB = 4096
LOCAL_GIB_PER_VCPU = 20
GROUP_OF = 3  # servers of a database set
BUSIEST = 0.76  # of a zone's threads, asked for at its busiest hour
PROJECTS = ("shop", "search", "payments", "media", "platform", "research")


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of server: how many of a hundred, which sizes, its day, and which share has its disks on the host."""

    percent: int
    vcpus: tuple[int, ...]
    shape: Shape
    local: float = 0.0
    pinned: float = 0.0


# The mixes of peaks are ours; that services peak at 12, 15 and 22 h is the account's.
ROLES: dict[str, Role] = {
    "web": Role(26, (2, 2, 4), Shape(0.26, (0.30, 0.12, 0.34))),
    "api": Role(22, (2, 2, 4), Shape(0.27, (0.26, 0.20, 0.26))),
    "worker": Role(16, (2, 4, 4), Shape(0.32, (0.08, 0.28, 0.10))),
    "db": Role(9, (4, 8), Shape(0.29, (0.16, 0.14, 0.18)), local=0.5),
    "search": Role(7, (2, 4), Shape(0.26, (0.22, 0.12, 0.24)), local=0.4, pinned=0.08),
    "queue": Role(6, (1, 2), Shape(0.22, (0.14, 0.14, 0.14))),
    "ci": Role(8, (2, 4), Shape(0.29, (0.16, 0.38, 0.02), width_h=1.1)),
    "cache": Role(6, (1, 2), Shape(0.19, (0.14, 0.08, 0.18)), pinned=0.08),
}
OTHER = Shape(0.26, (0.18, 0.18, 0.18))  # the day of a role that this module does not know


def account_cloud(hosts: int = 80, servers: int = 1000, seed: int = 1) -> SimSpec:
    """A cloud like that of the 2022 account: three zones, eight roles, hosts that filled up unevenly.

    Every zone has enough CPU for its peaks, some of its hosts have not. Raises BadInput when the servers do not fit.
    """
    draw = random.Random(seed)
    fleet = _account_hosts(hosts)
    room = _Room(fleet, draw)
    pools = [room.pool(zone) for zone in dict.fromkeys(host.zone for host in fleet)]
    apart = min(GROUP_OF, min(len(pool.hosts) for pool in pools))
    made: list[Server] = []
    roles: list[str] = []
    groups: list[ServerGroup] = []
    for (name, role), count in zip(ROLES.items(), _shares(servers, [r.percent for r in ROLES.values()]), strict=True):
        set_of = apart if name == "db" else 1
        for first in range(1, count + 1, set_of):
            pool = pools[first // set_of % len(pools)]
            members: list[Server] = []
            for number in range(first, min(first + set_of, count + 1)):
                taken = [member.host for member in members]
                members.append(_account_server(name, role, number, draw, room, pool, taken))
            if len(members) > 1:
                label = f"{name}-set-{len(groups) + 1:02d}"
                ids = frozenset(member.id for member in members)
                groups.append(ServerGroup(GroupId(label), label, "anti-affinity", ids))
            made += members
        roles += [name] * count
    return SimSpec(f"sim-{hosts}", fleet, tuple(made), tuple(groups), tuple(roles))


def _account_server(
    name: str, role: Role, number: int, draw: random.Random, room: "_Room", pool: "_Pool", taken: list[HostName]
) -> Server:
    vcpus = draw.choice(role.vcpus)
    local = draw.random() < role.local
    labelled = draw.random() < 0.85  # the others tell their role by their name alone
    pinned = draw.random() < role.pinned
    label = f"{name}-{number:04d}"
    host = room.place(draw, label, vcpus, pool, taken)
    server = _sized(label, vcpus, host, name if labelled else "", local)
    project = PROJECTS[(number + 2 * len(name)) % len(PROJECTS)]
    return replace(server, project=project, pinned_by="a PCI device (SR-IOV port)" if pinned else "")


def benchmark_cluster(
    hosts: int, servers: int, seed: int, loads_percent: Sequence[int] | None, *, local_disk: bool = True
) -> tuple[SimSpec, FloatArray]:
    """The cluster of the published comparison, and each server's load in percent of its vCPUs.

    Random numbers are drawn in the same order as there, so a seed gives the same cluster: hosts of 24 threads in three
    zones round robin, servers of 2/4/8/16 vCPUs (4:4:2:1) with 4 GiB and 20 GiB of disk per vCPU, filled by lognormal
    weights; the load is 2.5 times a value of `loads_percent` (a trace at noon), plus 0.1, at most 100. None draws no
    loads: all are 0. Raises BadInput when the servers do not fit.
    """
    draw = random.Random(seed)
    fleet = tuple(
        Host(HostName(f"h{k:05d}"), ZoneName(f"az{k % ZONES + 1}"), THREADS, MEMORY_MIB, DISK_GIB, cpu_ratio=8.0)
        for k in range(hosts)
    )
    room = _Room(fleet, draw)
    pool = room.pool()
    made: list[Server] = []
    loads: list[float] = []
    for number in range(servers):
        vcpus = draw.choices([2, 4, 8, 16], [4, 4, 2, 1])[0]
        name = f"v{number:06d}"
        host = room.place(draw, name, vcpus, pool)
        made.append(_sized(name, vcpus, host, f"role{number % max(1, servers // 6)}", local_disk))
        loads.append(min(100.0, 2.5 * draw.choice(loads_percent) + 0.1) if loads_percent else 0.0)
    roles = tuple(server.metadata["role"] for server in made)
    return SimSpec(f"benchmark-{hosts}", fleet, tuple(made), roles=roles), np.array(loads)


def replay_cluster(servers_count: int, hosts: int, seed: int, *, local_disk: bool = False) -> SimSpec:
    """A cluster placed as the benchmark's, for servers that follow a trace: server i its series i (modulo series)."""
    return benchmark_cluster(hosts, servers_count, seed, None, local_disk=local_disk)[0]


def demand_for(spec: SimSpec, seed: int = 1, start_s: float = 0.0) -> DailyDemand:
    """A generated demand for any cloud: its roles peak together, some servers are busy or noisy for good.

    Each zone's days are scaled so that its busiest hour asks for about three quarters of its threads. `start_s`: how
    far into the local day the simulation starts.
    """
    draw = np.random.default_rng([seed, 7])
    names = list(dict.fromkeys(spec.roles)) or ["other"]
    role_of = [names.index(role) for role in spec.roles] or [0] * len(spec.servers)
    shapes = [ROLES[name].shape if name in ROLES else OTHER for name in names]
    count = len(spec.servers)
    level = np.exp(draw.normal(-0.045, 0.3, count))  # mean 1
    busy, noisy = draw.random(count) < 0.04, draw.random(count) < 0.05
    level[busy] *= 2.0
    noise = np.where(noisy, 0.5, 0.12)
    level *= _zone_scale(spec, np.stack([shape.day() for shape in shapes])[role_of].T * level * spec.vcpus)
    return DailyDemand(spec.vcpus, shapes, role_of, level, noise, seed, start_s)


def _zone_scale(spec: SimSpec, days: FloatArray) -> FloatArray:
    """Per server, the factor that brings its zone's busiest slot to BUSIEST of its threads; at most doubled."""
    scale = np.ones(len(spec.servers))
    zone_of = np.array([spec.zones.index(host.zone) for host in spec.hosts], dtype=np.intp)
    for zone in range(len(spec.zones)):
        there = zone_of[spec.placement] == zone
        if there.any():
            peak = days[:, there].sum(axis=1).max()
            scale[there] = np.clip(BUSIEST * spec.threads[zone_of == zone].sum() / peak, 0.1, 2.0)
    return scale


@dataclass(frozen=True, slots=True)
class _Pool:
    """Hosts to draw from, with their weights added up."""

    hosts: Sequence[int]
    weights: tuple[float, ...]


class _Room:
    """What is left on the hosts while they are filled."""

    def __init__(self, hosts: tuple[Host, ...], draw: random.Random) -> None:
        self._hosts = hosts
        self._weights = [draw.lognormvariate(0, SKEW) for _ in hosts]
        self._memory_mib = [host.memory_mib for host in hosts]
        self._vcpus = [int(host.cpus) * VCPUS_PER_THREAD for host in hosts]

    def pool(self, zone: ZoneName | None = None) -> _Pool:
        hosts = [k for k, host in enumerate(self._hosts) if zone in (None, host.zone)]
        return _Pool(hosts, tuple(accumulate(self._weights[k] for k in hosts)))

    def place(
        self, draw: random.Random, name: str, vcpus: int, pool: _Pool, never: Collection[HostName] = ()
    ) -> HostName:
        """Draw by weight until a host has room; look at all of them once when luck seems to have run out."""
        tries = 0
        while True:
            k = draw.choices(pool.hosts, cum_weights=pool.weights)[0]
            if self._fits(k, vcpus, never):
                self._memory_mib[k] -= vcpus * MEMORY_PER_VCPU_MIB
                self._vcpus[k] -= vcpus
                return self._hosts[k].name
            tries += 1
            if tries % 1000 == 0 and not any(self._fits(each, vcpus, never) for each in pool.hosts):
                raise BadInput(
                    f"{name} does not fit on any of {len(pool.hosts)} hosts; ask for more hosts or fewer servers"
                )

    def _fits(self, k: int, vcpus: int, never: Collection[HostName]) -> bool:
        room = self._memory_mib[k] >= vcpus * MEMORY_PER_VCPU_MIB and self._vcpus[k] >= vcpus
        return room and self._hosts[k].name not in never


def _account_hosts(hosts: int) -> tuple[Host, ...]:
    if hosts < 1:
        raise BadInput(f"a cloud of {hosts} hosts cannot run servers; ask for at least one")
    made = []
    for zone, count in enumerate(_shares(hosts, [1] * min(ZONES, hosts)), start=1):
        for number in range(1, count + 1):
            rack = f"az{zone}-r{(number - 1) // RACK + 1}"
            name, where = HostName(f"az{zone}-h{number:02d}"), ZoneName(f"az{zone}")
            made.append(Host(name, where, THREADS, MEMORY_MIB, DISK_GIB, rack=rack))
    return tuple(made)


def _sized(name: str, vcpus: int, host: HostName, role: str, local_disk: bool) -> Server:
    return Server(
        id=ServerId(name),
        name=name,
        host=host,
        vcpus=vcpus,
        memory_mib=vcpus * MEMORY_PER_VCPU_MIB,
        local_disk_gib=vcpus * LOCAL_GIB_PER_VCPU if local_disk else 0,
        flavor=f"c{vcpus}m{vcpus * MEMORY_PER_VCPU_MIB // 1024}",
        metadata={"role": role} if role else {},
    )


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` split by weights, nothing lost."""
    bounds = [0, *(total * upto // sum(weights) for upto in accumulate(weights))]
    return [after - before for before, after in pairwise(bounds)]
