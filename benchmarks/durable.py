"""What durability costs: sagas of four steps on SQLite and PostgreSQL, beside the same sagas in memory."""

import argparse
import logging
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from watari.act.durable.books import Books
from watari.act.durable.carrying import Context
from watari.act.durable.engine import Engine
from watari.act.durable.records import list_runs, load_run, policy_of, submit
from watari.act.durable.store import Store
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.saga import Saga
from watari.act.virtual import VirtualExecutor
from watari.model.compute import Host, HostName, ZoneName
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import DisableHost, EnableHost
from watari.policy.load import parse_policy

SAGAS, STEPS = 200, 4
LIMIT_STEPS_S = 150.0  # on SQLite: Watari's own
POLICY = ("budgets: {}\n", "benchmark")
NEW = 1_000  # operations of which the size is told

EPILOG = """A saga takes a host out of service, puts it back, and does both again; the cloud answers at once. Every step
is written down before it is asked for, and twice after, with synchronous=FULL (SQLite) and fsync (PostgreSQL) on.

exit code: 0; with --check 1 if SQLite was slower than 150 steps/s
"""


@dataclass(slots=True)
class InMemoryCloud:
    """The part of a cloud that these sagas use; it answers at once, and is a clock."""

    states: dict[str, tuple[str, str]] = field(default_factory=dict)

    def host(self, name: HostName) -> Host:
        state, note = self.states.get(name, ("up", ""))
        return Host(name, ZoneName("az1"), 64, 10**6, 10**6, state=state, state_note=note)  # type: ignore[arg-type]

    def disable_host(self, host: HostName, reason: str) -> None:
        self.states[host] = ("disabled", reason)

    def enable_host(self, host: HostName) -> None:
        self.states[host] = ("up", "")

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Measured:
    """One database: start-up and work in seconds, size per 1,000 operations in MiB."""

    name: str
    start_s: float
    again_s: float
    work_s: float
    steps: int
    mib: float

    @property
    def steps_s(self) -> float:
        return self.steps / self.work_s


def plan_of(sagas: int, name: str = "p-00000001") -> Plan:
    """Sagas of four steps, each on a host of its own."""
    now = datetime.now(UTC)
    operations = tuple(
        Operation(OperationId(str(n)), f"h{n}", f"h{n}", "az1", "", 1, _steps(HostName(f"h{n}")), Cost())
        for n in range(sagas)
    )
    return Plan(name, "drain", "memory", now, now + timedelta(hours=1), "", "", operations)


def _steps(host: HostName) -> tuple[DisableHost | EnableHost, ...]:
    return (DisableHost(host, "first"), EnableHost(host), DisableHost(host, "second"), EnableHost(host))


def bare(sagas: int) -> float:
    """Seconds of work on the virtual executor, with the journal in memory."""
    cloud: Any = InMemoryCloud()
    journal: list[object] = []
    executor = VirtualExecutor(handlers(cloud), Guard(parse_policy(*POLICY), {}), cloud, journal.append)
    executor.submit(plan_of(sagas))
    begun = time.perf_counter()
    while executor.runs:
        executor.tick()
    return time.perf_counter() - begun


def durable(name: str, url: str, sagas: int) -> Measured:
    """The same work through a database: from the plan to the end of its run."""
    store = Store(url)
    engine, start_s = _started(store)
    engine.stop()
    size = _size(store)
    engine, again_s = _started(store)
    begun = time.perf_counter()
    run, _ = submit(store, plan_of(sagas), "memory", POLICY, datetime.now(UTC))
    engine.enqueue(run)
    while list_runs(store)[0].ended_at is None:
        time.sleep(0.05)
    work_s = time.perf_counter() - begun
    row = list_runs(store)[0]
    assert row.state == "done", row
    engine.stop()
    mib = (_size(store) - size) / 2**20 * NEW / sagas
    store.close()
    return Measured(name, start_s, again_s, work_s, sagas * STEPS, mib)


def _started(store: Store) -> tuple[Engine, float]:
    cloud: Any = InMemoryCloud()
    made: dict[str, Context] = {}
    lock = threading.Lock()

    def open_run(engine: Engine, run_id: str) -> Context:
        with lock:
            if run_id not in made:
                guard = Guard(policy_of(store, run_id), {})
                books = Books(store, engine.lease, "memory", guard, cloud, released=engine.carrier.turns.wake)
                made[run_id] = Context(load_run(store, run_id), Saga(handlers(cloud), books, cloud), books)
            return made[run_id]

    begun = time.perf_counter()
    engine = Engine(store, open_run)
    engine.start()
    return engine, time.perf_counter() - begun


def _size(store: Store) -> int:
    with store.engine.connect() as c:
        if store.is_postgres:
            return int(c.exec_driver_sql("select pg_database_size(current_database())").scalar() or 0)
        pages = int(c.exec_driver_sql("pragma page_count").scalar() or 0)
        return pages * int(c.exec_driver_sql("pragma page_size").scalar() or 0)


@contextmanager
def _postgres() -> Iterator[str | None]:
    """A server of its own, as the tests have it; None where PostgreSQL is not installed."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from durable.postgres import Postgres, binaries

    if binaries() is None:
        yield None
        return
    server = Postgres(fsync=True)
    try:
        yield server.new_database()
    finally:
        server.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.durable", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sagas", type=int, default=SAGAS, help=f"sagas of {STEPS} steps (default: {SAGAS})")
    parser.add_argument("--folder", type=Path, help="where the SQLite file is made (default: the temporary directory)")
    parser.add_argument("--check", action="store_true", help="exit 1 if SQLite misses its limit")
    arguments = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    bare_s = bare(arguments.sagas)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = [durable("SQLite", str(Path(folder) / "runs.db"), arguments.sagas)]
    with _postgres() as url:
        if url is not None:
            rows.append(durable("PostgreSQL", url, arguments.sagas))
    _show(Console(), rows, bare_s, arguments.sagas)
    if url is None:
        print("PostgreSQL is not installed here: not measured")
    return int(arguments.check and rows[0].steps_s < LIMIT_STEPS_S)


def _show(console: Console, rows: list[Measured], bare_s: float, sagas: int) -> None:
    steps = sagas * STEPS
    machine = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    table = Table(title=f"{sagas} sagas of {STEPS} steps; {machine}", title_justify="left")
    table.add_column("")
    for heading in ("steps/s", "ms per step", "x bare", "MiB per 1,000 operations", "first start s", "start s"):
        table.add_column(heading, justify="right")
    bare_ms = bare_s / steps * 1000
    table.add_row("in memory", f"{steps / bare_s:,.0f}", f"{bare_ms:.3f}", "1", "", "", "")
    for row in rows:
        ms = row.work_s / row.steps * 1000
        times = f"{ms / bare_ms:,.0f}"
        figures = (f"{row.steps_s:,.0f}", f"{ms:.2f}", times, f"{row.mib:.1f}", f"{row.start_s:.2f}")
        table.add_row(row.name, *figures, f"{row.again_s:.2f}")
    console.print(table)
    met = "met" if rows[0].steps_s >= LIMIT_STEPS_S else "MISSED"
    console.print(f"limit of our own, {LIMIT_STEPS_S:.0f} steps/s on SQLite: {met}")


if __name__ == "__main__":
    sys.exit(main())
