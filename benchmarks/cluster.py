"""The cluster that every contender gets: skewed placement, mixed flavours, loads from a trace; all from one seed."""

import json
import random
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from benchmarks.loads import Loads
from watari.errors import BadInput

HOST_CPUS = 24
HOST_MEMORY_MIB = 512 * 1024
HOST_DISK_GIB = 8000
ZONES = ("az1", "az2", "az3")

FLAVOR_VCPUS = (2, 4, 8, 16)
FLAVOR_WEIGHTS = (4, 4, 2, 1)
MEMORY_MIB_PER_VCPU = 4096
DISK_GIB_PER_VCPU = 20

MAX_VCPUS_PER_CPU = 6  # while the cluster is filled
SKEW_SIGMA = 0.45  # of the log-normal weights by which hosts attract servers
LOAD_FACTOR = 2.5  # lifts the trace's mean to that of a busy private cloud
LOAD_FLOOR = 0.1  # percent: no server is entirely idle
SERVERS_PER_ROLE = 6
MAX_SERVERS_PER_HOST = 15  # on average; with more, the draw for a host with room gets long


@dataclass(frozen=True, slots=True)
class BenchHost:
    """A hypervisor; all are alike but for the zone."""

    name: str
    zone: str
    cpus: int = HOST_CPUS
    memory_mib: int = HOST_MEMORY_MIB
    disk_gib: int = HOST_DISK_GIB


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A server; `host` is an index into the cluster's hosts, `load_percent` is 0-100 of its vCPUs."""

    name: str
    host: int
    vcpus: int
    load_percent: float
    role: str

    @property
    def demand(self) -> float:
        """Cores that it asks for."""
        return self.vcpus * self.load_percent / 100

    @property
    def memory_mib(self) -> int:
        return self.vcpus * MEMORY_MIB_PER_VCPU

    @property
    def disk_gib(self) -> int:
        return self.vcpus * DISK_GIB_PER_VCPU


@dataclass(frozen=True, slots=True)
class Cluster:
    """Hosts and the servers on them before any plan."""

    hosts: tuple[BenchHost, ...]
    servers: tuple[BenchServer, ...]

    @property
    def placement(self) -> tuple[int, ...]:
        """Per server the index of its host."""
        return tuple(server.host for server in self.servers)

    def hosts_demand(self) -> list[float]:
        """Per host the cores that its servers ask for together."""
        demand = [0.0] * len(self.hosts)
        for server in self.servers:
            demand[server.host] += server.demand
        return demand


def generate(hosts: int, servers: int, seed: int, loads: Loads) -> Cluster:
    """The cluster of a seed: the same on every machine, for it draws in a fixed order from Python's `random`.

    Raises BadInput for more than 15 servers per host, which hardly fit.
    """
    if hosts < 1 or servers > MAX_SERVERS_PER_HOST * hosts:
        raise BadInput(f"{servers} servers do not fit on {hosts} hosts; take at most {MAX_SERVERS_PER_HOST} per host")
    draw = random.Random(seed)
    attraction = list(accumulate(draw.lognormvariate(0, SKEW_SIGMA) for _ in range(hosts)))
    used_vcpus = [0] * hosts
    placed = []
    for i in range(servers):
        vcpus = draw.choices(FLAVOR_VCPUS, FLAVOR_WEIGHTS)[0]
        host = _draw_host(draw, attraction, used_vcpus, vcpus)
        used_vcpus[host] += vcpus
        percent = min(100.0, LOAD_FACTOR * draw.choice(loads.percent) + LOAD_FLOOR)
        role = f"role{i % max(1, servers // SERVERS_PER_ROLE)}"
        placed.append(BenchServer(f"v{i:06d}", host, vcpus, percent, role))
    bare = tuple(BenchHost(f"h{i:05d}", ZONES[i % len(ZONES)]) for i in range(hosts))
    return Cluster(bare, tuple(placed))


def write_json(cluster: Cluster, path: Path) -> None:
    """The cluster as a file for a contender that runs in an environment of its own."""
    document = {
        "hosts": [
            {"name": h.name, "zone": h.zone, "cpus": h.cpus, "memory_mib": h.memory_mib, "disk_gib": h.disk_gib}
            for h in cluster.hosts
        ],
        "servers": [
            {
                "name": s.name,
                "host": s.host,
                "vcpus": s.vcpus,
                "memory_mib": s.memory_mib,
                "disk_gib": s.disk_gib,
                "load_percent": s.load_percent,
            }
            for s in cluster.servers
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def _draw_host(draw: random.Random, attraction: list[float], used_vcpus: list[int], vcpus: int) -> int:
    """A host by attraction (cumulative weights) with room for the vCPUs and, at 4 GiB each, for their memory."""
    by_memory = HOST_MEMORY_MIB // MEMORY_MIB_PER_VCPU
    room = min(HOST_CPUS * MAX_VCPUS_PER_CPU, by_memory) - vcpus
    while True:
        # What random.choices(range(hosts), weights) does, without summing all weights up again for every server.
        host = bisect_right(attraction, draw.random() * attraction[-1], 0, len(attraction) - 1)
        if used_vcpus[host] <= room:
            return host
