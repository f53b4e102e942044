"""What a look of the controller costs beyond waiting for the cloud and its meter: CPU, memory, bytes kept."""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import loads
from benchmarks.cluster import generate
from benchmarks.watari_run import peak_memory_mb, snapshot_of
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.clouds import Cloud, NoMeter
from watari.app.serving.keeping import to_bytes
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.reconciler import Reconciler
from watari.jobs.balance import Memory
from watari.model.compute import ComputeSnapshot, Load

SIZES = ((100, 1_000), (1_000, 10_000), (10_000, 100_000))  # hosts, servers
LIMITS_S = {1_000: 0.100, 100_000: 5.0}  # CPU of a look, by servers: Watari's own
LIMITS_MB = {100_000: 2_000.0}
LOOKS = 5
EVERY = timedelta(seconds=60)
POLICY = "detect: {hold_rounds: 2}\nserve: {balance: suggest}\n"

EPILOG = """A look reads the policy, folds the loads into what is remembered (with a learned day), decides whether
anybody needs help, plans if so, and writes down what it saw, on SQLite. Reading the cloud is not in it: inventories
and loads are handed over ready-made. Busy: the skewed cluster of `make bench`, a fifth of its hosts over capacity;
calm: the same with a fifth of the load.

exit code: 0; with --check 1 if a limit was missed
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: medians of a look's CPU seconds, and the largest; MB at most; MiB that are kept of the memory."""

    hosts: int
    servers: int
    calm_s: float
    busy_s: float
    largest_s: float
    keep_s: float
    kept_mib: float
    mb: float
    starved: int


class Ready(Cloud):
    """A cloud that is handed over ready-made, a minute later at every look; and its clock."""

    def __init__(self, snapshot: ComputeSnapshot) -> None:
        unused: Any = None  # nothing is asked of the cloud but its snapshot
        super().__init__("bench", unused, NoMeter(), self, lambda: None)
        self.at = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
        self.base = snapshot
        self.factor, self.spent_s = 1.0, 0.0

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        """Nobody sleeps."""

    def snapshot(self) -> ComputeSnapshot:
        begun = time.thread_time()
        self.at += EVERY
        read = {id: _scaled(load, self.factor, self.at) for id, load in self.base.loads.items()}
        made = replace(self.base, taken_at=self.at, loads=read)
        self.spent_s = time.thread_time() - begun
        return made


def _scaled(load: Load, factor: float, at: datetime) -> Load:
    return Load(load.steal * (factor >= 1), load.load_per_vcpu * factor, load.cpu_demand * factor, at, load.source)


def measure(hosts: int, servers: int) -> Measured:
    """One size, in this process."""
    cloud = Ready(snapshot_of(generate(hosts, servers, 1, loads.synthetic())))
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        store = Store(str(Path(folder) / "runs.db"))
        lease = Lease(store)
        lease.take()
        place = Place(store, lease, "bench")
        place.hold()
        reconciler = Reconciler(place, cloud, PolicyFile(str(policy)), lambda run: None)
        reconciler.look()
        assert reconciler.memory is not None
        reconciler.memory = _with_a_day(reconciler.memory)
        cloud.factor = 0.2
        calm = _looks(reconciler, cloud)
        cloud.factor = 1.0
        busy = _looks(reconciler, cloud)
        begun = time.thread_time()
        kept = to_bytes(reconciler.memory)
        keep_s = time.thread_time() - begun
        last = reconciler.look()
        lease.release()
        store.close()
    medians = (float(np.median(calm)), float(np.median(busy)))
    return Measured(
        hosts, servers, *medians, max(*calm, *busy), keep_s, len(kept) / 2**20, peak_memory_mb(), last.starved or 0
    )


def _with_a_day(memory: Memory) -> Memory:
    """The memory with a learned day, a different one for every server."""
    assert memory.shape is not None
    swing = np.random.default_rng(1).uniform(0.3, 0.9, memory.shape.cores.shape)
    return replace(memory, shape=replace(memory.shape, cores=(swing * memory.mean[:, None]).astype(np.float32)))


def _looks(reconciler: Reconciler, cloud: Ready) -> list[float]:
    """CPU seconds of each look, without those of making the snapshot."""
    return [reconciler.look().cpu_s - cloud.spent_s for _ in range(LOOKS)]


def main(argv: list[str] | None = None) -> int:
    """Measure every size in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.serve", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit was missed")
    parser.add_argument("--one", nargs=2, type=int, metavar="N", help="only this size (hosts, servers), as JSON")
    arguments = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    if arguments.one:
        print(json.dumps(asdict(measure(*arguments.one))))
        return 0
    rows = [_in_a_process(hosts, servers) for hosts, servers in SIZES]
    return int(not _show(Console(width=100), rows) and arguments.check)


def _in_a_process(hosts: int, servers: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.serve", "--one", str(hosts), str(servers)]
    return Measured(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _show(console: Console, rows: list[Measured]) -> bool:
    """Print the table; returns whether every limit was met."""
    machine = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    table = Table(title=f"a look of the controller; {machine}", title_justify="left")
    for heading in ("hosts", "servers", "starved", "calm ms", "busy ms", "most ms", "MB", "kept MiB", "keeping ms"):
        table.add_column(heading, justify="right")
    met = True
    for r in rows:
        limit_s, limit_mb = LIMITS_S.get(r.servers), LIMITS_MB.get(r.servers)
        met = met and r.largest_s <= (limit_s or r.largest_s) and r.mb <= (limit_mb or r.mb)
        figures = (f"{1000 * s:,.1f}" for s in (r.calm_s, r.busy_s, r.largest_s))
        table.add_row(
            f"{r.hosts:,}", f"{r.servers:,}", f"{r.starved:,}", *figures, f"{r.mb:,.0f}", f"{r.kept_mib:.2f}",
            f"{1000 * r.keep_s:,.0f}",
        )  # fmt: skip
        if limit_s is not None:
            mb = "" if limit_mb is None else f"{limit_mb:,.0f}"
            table.add_row("", "limit", "", "", "", f"{1000 * limit_s:,.1f}", mb, "", "", style="dim")
    console.print(table)
    console.print(f"limits of our own: {'met' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
