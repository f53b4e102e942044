"""Run Watari's balance planner on the benchmark's cluster in a process of its own, and measure it.

python -m benchmarks.watari_run --hosts 100 --servers 1000 --seed 1 > answer.json
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import loads
from benchmarks.cluster import Cluster, generate
from watari.jobs.balance import plan
from watari.model.compute import ComputeSnapshot, Host, HostName, Load, Server, ServerId, ZoneName
from watari.plan.plan import Plan
from watari.plan.steps import LiveMigrate
from watari.policy.values import Policy

NOON = datetime(2011, 3, 3, 12, 0, tzinfo=UTC)
CPU_RATIO = 8.0  # what the peers are given too; the cluster is filled to 6 vCPUs per CPU


def snapshot_of(cluster: Cluster) -> ComputeSnapshot:
    """The cluster as Watari's observers would read it: steal and load from demand by the fluid rule.

    On a host that is asked for more than it has, every server gets the same share of what it asks for: the withheld
    share is sigma = 1 - capacity / demand. A server's steal is sigma of its demand, per vCPU; its runnable work queues
    up to demand / (1 - sigma). Disks lie on shared storage, so that a move's GiB are memory alone, as with the peers.
    """
    sigma = [
        max(0.0, 1.0 - host.cpus / demand) if demand else 0.0
        for host, demand in zip(cluster.hosts, cluster.hosts_demand(), strict=True)
    ]
    hosts = [
        Host(HostName(h.name), ZoneName(h.zone), float(h.cpus), h.memory_mib, h.disk_gib, CPU_RATIO)
        for h in cluster.hosts
    ]
    servers, readings = {}, {}
    for s in cluster.servers:
        id = ServerId(s.name)
        servers[id] = Server(id, s.name, hosts[s.host].name, s.vcpus, s.memory_mib, metadata={"role": s.role})
        per_vcpu = s.demand / s.vcpus
        readings[id] = Load(
            steal=sigma[s.host] * per_vcpu,
            load_per_vcpu=per_vcpu / (1.0 - sigma[s.host]),
            cpu_demand=s.demand,
            at=NOON,
            source="bench",
        )
    return ComputeSnapshot(NOON, {host.name: host for host in hosts}, servers, readings, cloud="bench")


def placement_after(cluster: Cluster, made: Plan) -> list[int]:
    """Per server the index of its host once the plan is carried out, all waves of it."""
    host_index = {host.name: i for i, host in enumerate(cluster.hosts)}
    server_index = {server.name: i for i, server in enumerate(cluster.servers)}
    placement = list(cluster.placement)
    for operation in made.operations:
        for step in operation.steps:
            if isinstance(step, LiveMigrate):
                placement[server_index[step.server]] = host_index[step.target]
    return placement


def peak_memory_mb() -> float:
    """The most memory (MB) that this process has had resident so far: interpreter, libraries, snapshot and plan."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: Linux lets a process inherit that from the one that started it.
        high_water = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(high_water.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan `--runs` times on the same snapshot; print CPU seconds of each, the placement and the peak memory."""
    parser = argparse.ArgumentParser(description="Run Watari's planner alone and print one JSON object.")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--planetlab", type=Path, help="a day of traces; without it the built-in loads")
    options = parser.parse_args(arguments)
    sample = loads.planetlab(options.planetlab) if options.planetlab else loads.synthetic()
    cluster = generate(options.hosts, options.servers, options.seed, sample)
    snapshot, policy = snapshot_of(cluster), Policy()
    cpu_s = []
    made: Plan | None = None
    for _ in range(options.runs):
        del made  # or two plans are in memory at once
        started = time.process_time()
        made = plan(snapshot, policy)
        cpu_s.append(time.process_time() - started)
    peak_mb = peak_memory_mb()
    assert made is not None, "--runs must be at least 1"
    answer = {"cpu_s": cpu_s, "peak_mb": peak_mb, "placement": placement_after(cluster, made)}
    json.dump(answer | {"waves": made.waves, "refusals": len(made.refusals)}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
