"""A worker process of a test. SIGINT: it finishes what is under way and ends; SIGTERM: it leaves all as it is."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durable.filed_cloud import FiledCloud
from watari.act.durable import engine as engine_module
from watari.act.durable.books import Books
from watari.act.durable.carrying import Context
from watari.act.durable.engine import Engine
from watari.act.durable.records import list_runs, load_run, policy_of
from watari.act.durable.store import Store
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.saga import Saga
from watari.drivers.orchestrators import Surroundings, open_orchestrators
from watari.errors import WatariError
from watari.ports import Orchestrator

FAILED = 7  # exit code after an error that was said


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker process is to do; `kill_at`: its how-manieth journal write is its last, before or after commit."""

    database: str
    cloud: str
    out: str  # its standard output and error
    ttl_s: float = 3.0
    at_once: int = 200
    once: bool = False  # ends when no run is open
    enqueue: bool = True  # goes on with every open run, as `watari runs resume` does
    kill_at: tuple[int, str] | None = None
    wait_s: float = 0.3
    poll_s: float = 0.05
    drawn_out: tuple[str, float] = ("", 0.0)  # sleeps so long after this state was written
    pool: str = ""  # the file of an orchestrator, see tests/orchestrators/hook_program.py


def work(orders: Orders) -> None:
    """The process."""
    with Path(orders.out).open("ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    finish, leave = threading.Event(), threading.Event()
    signal.signal(signal.SIGINT, lambda *_: finish.set())
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    engine_module.QUEUE_POLL_S = 0.1
    try:
        store = Store(orders.database)
        engine = make_engine(store, FiledCloud(Path(orders.cloud)), orders)
        engine.start()
        if orders.enqueue:
            for run in list_runs(store, only_open=True):
                engine.enqueue(run.id)
    except WatariError as e:
        _end(f"{type(e).__name__}: {e}")
    print("ready", flush=True)
    while not (finish.is_set() or leave.is_set()):
        if engine.carrier.trouble:
            _end(engine.carrier.trouble)
        if orders.once and engine.carrier.idle and not list_runs(store, only_open=True):
            os._exit(0)  # nothing is left to be ended well
        time.sleep(0.02)
    if finish.is_set():
        engine.finish()
    engine.stop()


def make_engine(store: Store, cloud: FiledCloud, orders: Orders) -> Engine:
    """A worker for every run on this cloud."""
    engine = Engine(store, opener(cloud, orders), orders.ttl_s, at_once=orders.at_once)
    engine.carrier.poll_s, engine.carrier.wait_s = orders.poll_s, orders.wait_s
    return engine


def opener(cloud: FiledCloud, orders: Orders) -> Callable[[Engine, str], Context]:
    """Contexts of runs on this cloud."""
    made: dict[str, Context] = {}
    lock = threading.Lock()

    def open_run(engine: Engine, run_id: str) -> Context:
        with lock:
            if run_id not in made:
                run, policy = load_run(engine.store, run_id), policy_of(engine.store, run_id)
                guard = Guard(policy, cloud.inventory().hosts)
                books = _Books(engine.store, engine.lease, "filed", guard, cloud, released=engine.carrier.turns.wake)
                books.orders = orders
                budgets = policy.budgets
                verbs = handlers(cloud, None, pool_of(cloud, orders))
                saga = Saga(verbs, books, cloud, budgets.stalled_after_s, budgets.deadline_s)
                made[run_id] = Context(run, saga, books)
            return made[run_id]

    return open_run


def pool_of(cloud: FiledCloud, orders: Orders) -> dict[str, Orchestrator]:
    """What the servers work for: a program around the file, called `pool`."""
    if not orders.pool:
        return {}
    command = [sys.executable, str(Path(__file__).parents[1] / "orchestrators/hook_program.py"), orders.pool]
    return open_orchestrators([{"kind": "hook", "name": "pool", "command": command}], Surroundings(cloud, "test"))


class _Books(Books):
    """Kills its process at a journal write."""

    orders: Orders
    written = 0

    def _store(self, c: Any, run: Any, record: Any, r: Any, now: Any) -> None:
        super()._store(c, run, record, r, now)
        _Books.written += 1
        if self.orders.kill_at == (_Books.written, "before"):
            os.kill(os.getpid(), signal.SIGKILL)

    def _kept(self, write: Callable[..., Any], *, alone: str = "") -> Any:
        before = _Books.written
        answer = super()._kept(write, alone=alone)
        if _Books.written > before and self.orders.kill_at == (_Books.written, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    def write(self, run: Any, record: Any, r: Any) -> None:
        super().write(run, record, r)
        if self.orders.drawn_out[0] == r.state:
            time.sleep(self.orders.drawn_out[1])


def _end(why: str) -> None:
    sys.stderr.write(f"{why}\n")
    sys.stderr.flush()
    os._exit(FAILED)
