"""What the history of a cloud takes: bytes for 30 days, beside other forms of the same series, and CPU of a look."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from watari.act.durable import histories
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.history.recorded import open_history
from watari.app.history.recorder import Recorder
from watari.app.history.slots import MOST, SLOT_S
from watari.drivers.sim.build import account_cloud, demand_for, replay_cluster
from watari.drivers.sim.contention import FloatArray, contend
from watari.drivers.sim.spec import SimSpec
from watari.jobs.placement.world import Readings
from watari.model.compute import ComputeSnapshot, HostName, Server, ServerId
from watari.policy.values import Policy

LIMIT_MB = 50.0  # for 1,000 servers and 30 days
LIMITS_S = {1_000: 0.005, 100_000: 0.5}  # CPU of a look in the mean, by servers
START = datetime(2026, 1, 5, tzinfo=UTC)
LOOK_S = 60
JITTER = 0.15  # standard deviation of the logarithm of demand from one look to the next
SILENT = 0.002  # of all loads are missing
CHURN = 0.02  # of all servers are made anew on a day
MOVES = 4  # an hour
COLUMNS = ("steal", "steal_peak", "load", "demand", "demand_peak")

EPILOG = """The cloud of `watari demo` lives through its days: three peaks, slow noise, bursts, 15 % from look to look.
A look every minute; servers are moved, deleted and made anew, some loads are missing. It is kept as `watari serve`
keeps it, in a SQLite file. Beside it: the same five columns as plain float64, one value each per slot; and, with
--prometheus and promtool on the path, one day of them as blocks of Prometheus' database, times the days.

exit code: 0; with --check 1 if a limit was missed
"""


@dataclass(frozen=True, slots=True)
class Took:
    """CPU of one size: seconds of a look that only adds, that also writes a slot, and that also packs a window.

    `mean_s` is that of all looks of a window, its packing included.
    """

    servers: int
    mean_s: float
    add_s: float
    write_s: float
    pack_s: float
    first_s: float  # the first slot of an epoch, with the whole inventory


class Days:
    """A cloud whose looks are made, not measured: readings as a controller has them."""

    def __init__(self, spec: SimSpec, seed: int = 1) -> None:
        self.spec, self._demand = spec, demand_for(spec, seed)
        self._draw = np.random.default_rng([seed, 9])
        self._host_of = spec.placement.copy()
        self._servers = list(spec.servers)
        self._hosts = {host.name: host for host in spec.hosts}
        self._made = 0

    def look(self, second: int) -> tuple[ComputeSnapshot, Readings]:
        """What a controller sees then."""
        if second % 3600 == 0:
            self._live()
        at, count = START + timedelta(seconds=second), len(self._servers)
        cores = self._demand.cores(second) * np.exp(JITTER * self._draw.standard_normal(count))
        cores = np.minimum(cores, self.spec.vcpus)
        c = contend(cores, self.spec.vcpus, self._host_of, self.spec.threads, np.zeros(len(self._hosts)))
        known, zero = self._draw.random(count) >= SILENT, np.zeros(count)
        snapshot = ComputeSnapshot(at, self._hosts, {s.id: s for s in self._servers}, {})
        ids = tuple(snapshot.servers)
        return snapshot, Readings(ids, c.steal, c.load_per_vcpu, cores, zero, known, np.zeros(0, np.int64))

    def _live(self) -> None:
        """Servers move, and some are deleted and made anew under other ids."""
        count, hosts = len(self._servers), self.spec.hosts
        for k in self._draw.integers(0, count, MOVES).tolist():
            self._host_of[k] = self._draw.integers(0, len(hosts))
        for k in np.flatnonzero(self._draw.random(count) < CHURN / 24).tolist():
            self._made += 1
            self._servers[k] = replace(self._servers[k], id=_uuid(self._draw), name=f"new-{self._made:06d}")
        for k in np.flatnonzero(self._host_of >= 0).tolist():
            if (name := hosts[self._host_of[k]].name) != self._servers[k].host:
                self._servers[k] = replace(self._servers[k], host=HostName(name))


def with_uuids(spec: SimSpec) -> SimSpec:
    """The same cloud with ids as Nova gives them: they do not compress."""
    draw = np.random.default_rng(3)
    servers = tuple(replace(server, id=_uuid(draw)) for server in spec.servers)
    return replace(spec, servers=servers, groups=())


def _uuid(draw: np.random.Generator) -> ServerId:
    text = draw.bytes(16).hex()
    return ServerId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


class Kept:
    """A SQLite file and who keeps a history in it."""

    def __init__(self, folder: str) -> None:
        self.store = Store(str(Path(folder) / "runs.db"))
        self.lease = Lease(self.store)
        self.lease.take()
        place = Place(self.store, self.lease, "bench")
        place.hold()
        self.recorder = Recorder(place)

    def close(self) -> None:
        self.lease.release()
        self.store.close()


def size(days: float, progress: Console, prometheus: bool) -> dict[str, float]:
    """MB of 1,000 servers for `days`, by form."""
    policy, cloud = Policy(), Days(with_uuids(account_cloud()))
    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(folder)
        with progress.status("keeping the days"):
            for second in range(0, round(days * 86400) + SLOT_S + 1, LOOK_S):
                kept.recorder.look(*cloud.look(second), policy)
        (one,) = histories.all_kept(kept.store)
        out = {"watari": one.size / 1e6, "float64": one.slots * len(cloud.spec.servers) * len(MOST) * 8 / 1e6}
        out["slots"] = one.slots
        if prometheus and (promtool := shutil.which("promtool")):
            with progress.status("making blocks of Prometheus"):
                lines = Path(folder) / "day.om"
                _write_openmetrics(kept.store, lines, min(1.0, days))
                out["prometheus"] = _blocks_mb(promtool, lines, Path(folder) / "blocks") * days / min(1.0, days)
        kept.close()
    return out


def _write_openmetrics(store: Store, path: Path, days: float) -> None:
    """The means that are kept, as OpenMetrics: one series per server and column."""
    recorded = open_history(store, "bench", days, START + timedelta(days=4000))
    columns: list[list[tuple[int, FloatArray]]] = [[] for _ in COLUMNS]
    for frame in recorded.frames():
        share = frame.cores
        for rows, values in zip(columns, (frame.steal, frame.peak, frame.load, share, share), strict=True):
            rows.append((frame.begin, np.where(frame.known, values, np.nan)))
    with path.open("w", encoding="utf-8") as out:
        for name, rows in zip(COLUMNS, columns, strict=True):
            out.write(f"# TYPE watari_{name} gauge\n")
            out.writelines(_lines(name, recorded.spec.servers, rows))
        out.write("# EOF\n")


def _lines(name: str, servers: tuple[Server, ...], rows: list[tuple[int, FloatArray]]) -> Iterator[str]:
    for k, server in enumerate(servers):
        for begin, values in rows:
            if not np.isnan(values[k]):
                yield f'watari_{name}{{server="{server.id}"}} {values[k]:.6g} {begin}\n'


def _blocks_mb(promtool: str, lines: Path, folder: Path) -> float:
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(lines), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def cpu(servers: int) -> Took:
    """CPU seconds of looks at so many servers; medians, and the largest of those that write or pack."""
    spec = account_cloud() if servers == 1_000 else replay_cluster(servers, servers // 10, 1)
    policy, cloud = Policy(), Days(with_uuids(spec))
    add: list[float] = []
    write: list[float] = []
    packed: list[float] = []
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        kept = Kept(folder)
        for second in range(0, 7200 + 2 * SLOT_S + 1, LOOK_S):
            seen = cloud.look(second)
            windows = len(histories.window_begins(kept.store, "bench"))
            begun = time.thread_time()
            kept.recorder.look(*seen, policy)
            took = time.thread_time() - begun
            if len(histories.window_begins(kept.store, "bench")) > windows:
                packed.append(took)
            elif second and second % SLOT_S == 0:
                first, write = (took, write) if not first else (first, [*write, took])
            else:
                add.append(took)
        kept.close()
    looks = [*add, *write, *packed]
    return Took(servers, float(np.mean(looks)), float(np.median(add)), max(write), max(packed), first)


def main(argv: list[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.history", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--days", type=float, default=30.0, metavar="N", help="of 1,000 servers; default: 30")
    parser.add_argument("--prometheus", action="store_true", help="also blocks of Prometheus, if promtool is there")
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit was missed")
    parser.add_argument("--one", type=int, metavar="N", help="only the CPU of looks at so many servers, as JSON")
    arguments = parser.parse_args(argv)
    if arguments.one:
        print(json.dumps(asdict(cpu(arguments.one))))
        return 0
    console = Console(width=100)
    sizes = size(arguments.days, console, arguments.prometheus)
    rows = [_in_a_process(servers) for servers in LIMITS_S]
    return int(not _show(console, arguments.days, sizes, rows) and arguments.check)


def _in_a_process(servers: int) -> Took:
    command = [sys.executable, "-m", "benchmarks.history", "--one", str(servers)]
    return Took(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _show(console: Console, days: float, sizes: dict[str, float], rows: list[Took]) -> bool:
    """Print the tables; returns whether every limit was met."""
    limit = LIMIT_MB * days / 30
    table = Table(title=f"1,000 servers, {days:g} days, {sizes['slots']:,.0f} slots, 5 columns", title_justify="left")
    table.add_column("form")
    for heading in ("MB", "bytes per value"):
        table.add_column(heading, justify="right")
    values = sizes["slots"] * 1000 * len(MOST)
    names = {
        "watari": "history of watari, inventory and places included",
        "prometheus": "blocks of Prometheus, a day times the days",
        "float64": "plain float64, values alone",
    }
    for form, name in names.items():
        if form in sizes:
            table.add_row(name, f"{sizes[form]:,.1f}", f"{sizes[form] * 1e6 / values:.2f}")
    table.add_row("limit of our own", f"{limit:,.1f}", "", style="dim")
    console.print(table)
    machine = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    table = Table(title=f"CPU of keeping a look, ms; {machine}", title_justify="left")
    for heading in (
        "servers",
        "mean",
        "adding (median)",
        "and a slot (most)",
        "and a window (most)",
        "first slot of a week",
    ):
        table.add_column(heading, justify="right")
    met = sizes["watari"] <= limit
    for r in rows:
        figures = (f"{1000 * s:,.1f}" for s in (r.mean_s, r.add_s, r.write_s, r.pack_s, r.first_s))
        table.add_row(f"{r.servers:,}", *figures)
        table.add_row("limit", f"{1000 * LIMITS_S[r.servers]:,.1f}", "", "", "", "", style="dim")
        met = met and r.mean_s <= LIMITS_S[r.servers]
    console.print(table)
    console.print(f"limits of our own: {'met' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
