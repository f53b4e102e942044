"""A worker process of a test: `python worker.py DATABASE CLOUD MOVE_S [TTL_S]`; ends with SIGINT, or by force."""

import signal
import sys
import threading
from pathlib import Path

from durable.filed_cloud import FiledCloud
from watari.act.durable.books import Books
from watari.act.durable.carrying import Context
from watari.act.durable.engine import Engine
from watari.act.durable.records import list_runs, load_run, policy_of
from watari.act.durable.store import Store
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.saga import Saga


def opener(cloud: FiledCloud):  # type: ignore[no-untyped-def]
    """Contexts of runs on this cloud."""
    made: dict[str, Context] = {}
    lock = threading.Lock()

    def open_run(engine: Engine, run_id: str) -> Context:
        with lock:
            if run_id not in made:
                run, policy = load_run(engine.store, run_id), policy_of(engine.store, run_id)
                guard = Guard(policy, cloud.inventory().hosts)
                books = Books(engine.store, engine.lease, "filed", guard, cloud, released=engine.carrier.turns.wake)
                made[run_id] = Context(run, Saga(handlers(cloud), books, cloud), books)
            return made[run_id]

    return open_run


def main(database: str, cloud: str, move_s: str, ttl_s: str = "3") -> None:
    engine = Engine(Store(database), opener(FiledCloud(Path(cloud), float(move_s))), float(ttl_s))
    engine.carrier.poll_s, engine.carrier.wait_s = 0.05, 0.5
    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    engine.start()
    for run in list_runs(engine.store, only_open=True):
        engine.enqueue(run.id)
    print("ready", flush=True)
    ended.wait()
    engine.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
