"""A cloud, a database and worker processes that a test starts, kills, stops and goes on with."""

import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from durable.filed_cloud import FiledCloud, make
from durable.worker import Orders, work
from watari.act.durable.records import entries_of, list_runs, load_run, submit
from watari.act.durable.store import Store
from watari.act.journal import Entry, Run
from watari.errors import WatariError
from watari.model.compute import HostName, ServerId
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import DisableHost, LiveMigrate, Step

POLICY = "budgets: {total: 30, per_host_out: 10, per_host_in: 10, per_zone: 30, link: 100000 MiB/s, move: 100 MiB/s}\n"
PATIENCE_S = 60.0
# Workers are forked off a process that has everything loaded: they start in a quarter of the time.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["watari.act.durable.engine", "watari.act.saga", "watari.policy.load", "psycopg", "pytest"]
)


def move(id: str, server: str, source: str, target: str, *waits_for: str, first: tuple[Step, ...] = ()) -> Operation:
    """A move, after other steps of the same saga, once other operations are over."""
    steps = (*first, LiveMigrate(ServerId(server), HostName(source), HostName(target)))
    waits = tuple(OperationId(w) for w in waits_for)
    return Operation(OperationId(id), server, server, "az1", "", 1, steps, Cost(512), waits_for=waits)


def disable(host: str) -> DisableHost:
    return DisableHost(HostName(host), "watari: test")


class Worker:
    """A process; `out()` is what it said."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        Path(orders.out).touch()
        self.process = FORKS.Process(target=work, args=(orders,))
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def send(self, number: int) -> None:
        if self.process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.join(PATIENCE_S)

    def end(self, number: int = signal.SIGTERM) -> int | None:
        self.send(number)
        return self.wait()

    def wait(self, seconds: float = PATIENCE_S) -> int | None:
        """Its exit code, once it has ended."""
        self.process.join(seconds)
        assert not self.process.is_alive(), f"the worker has not ended: {self.out()}"
        return self.process.exitcode

    def out(self) -> str:
        return Path(self.orders.out).read_text(encoding="utf-8")


class Rig:
    """One cloud with one database. `Store` is the test's own connection to it."""

    def __init__(self, folder: Path, url: str, servers: dict[str, str], hosts: list[str], **cloud: float) -> None:
        self.folder, self.url = folder, url
        make(folder / "cloud.db", servers, hosts, **cloud)
        self.cloud = FiledCloud(folder / "cloud.db")
        self.store = Store(url)
        self.workers: list[Worker] = []

    def submit(self, *operations: Operation, id: str = "p-12345678", policy: str = POLICY) -> str:
        now = self.cloud.now()
        plan = Plan(id, "balance", "filed", now, now + timedelta(days=2), "", "", operations)
        return submit(self.store, plan, "filed", (policy, "test.yaml"), now)[0]

    def worker(self, **orders: object) -> Worker:
        base = Orders(self.url, str(self.cloud.path), str(self.folder / f"worker-{len(self.workers)}.out"))
        worker = Worker(replace(base, **orders))  # type: ignore[arg-type]
        self.workers.append(worker)
        return worker

    def ready(self, **orders: object) -> Worker:
        """A worker that has begun to work."""
        worker = self.worker(**orders)
        self.until(lambda: "ready" in worker.out() or not worker.process.is_alive())
        return worker

    def freeze(self, worker: Worker) -> None:
        """Stop a process; not while it has the cloud's file to itself, as no client can have a real cloud."""
        while True:
            worker.send(signal.SIGSTOP)
            time.sleep(0.02)  # until its last thread stands
            if self.cloud.is_free():
                return
            worker.send(signal.SIGCONT)

    def carry_out(self, **orders: object) -> Worker:
        """A worker that works until every run is over."""
        worker = self.worker(once=True, **orders)
        assert worker.wait() == 0, worker.out()
        return worker

    def run(self, id: str = "r-12345678") -> Run:
        return load_run(self.store, id)

    def journal(self, id: str = "r-12345678") -> list[Entry]:
        return entries_of(self.store, id)

    def states(self, id: str = "r-12345678") -> dict[str, str]:
        return {o.operation.id: o.state for o in self.run(id).operations}

    def over(self, id: str = "r-12345678") -> bool:
        """Whether the run is closed; a database that is away has not said so."""
        try:
            return any(row.id == id and row.ended_at is not None for row in list_runs(self.store))
        except WatariError:
            return False

    def until(self, true: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        end = time.monotonic() + seconds
        while not true():
            said = "\n".join(w.out() for w in self.workers)
            assert time.monotonic() < end, f"waited for {seconds} s; {self.cloud.calls()[-5:]}; {said}"
            time.sleep(0.02)

    def asked(self) -> dict[str, int]:
        """How often the cloud took the request to move each server."""
        return dict(Counter(c.subject for c in self.cloud.calls("start") if c.answer in ("ok", "lost", "late")))

    def host_of(self, server: str) -> str:
        found = self.cloud.locate(ServerId(server))
        assert found is not None
        return found.host

    def most_at_once(self) -> int:
        """The most moves that ever went on at the same time, by the cloud's own record."""
        return most_at_once([(begin, end) for _, _, _, begin, end in self.cloud.moves()])

    def close(self) -> None:
        for worker in self.workers:
            worker.send(signal.SIGCONT)
            worker.kill()
        self.store.close()


def most_at_once(spans: list[tuple[float, float]]) -> int:
    marks = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, step in marks:
        now += step
        most = max(most, now)
    return most


@contextmanager
def rig(folder: Path, url: str, servers: dict[str, str], hosts: list[str], **cloud: float) -> Iterator[Rig]:
    made = Rig(folder, url, servers, hosts, **cloud)
    try:
        yield made
    finally:
        made.close()


def copied(template: Path, folder: Path) -> str:
    """A SQLite database of its own, with its tables made."""
    shutil.copy(template, folder / "runs.db")
    return str(folder / "runs.db")
