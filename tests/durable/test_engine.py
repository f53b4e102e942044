"""A worker within a process: what it leaves behind, what the queue loses, and what it is told wrongly."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from durable.filed_cloud import FiledCloud
from durable.rig import Rig, move
from durable.worker import Orders, make_engine
from watari.act.durable.engine import Engine
from watari.act.durable.store import Store
from watari.act.durable.tables import leases, operations
from watari.errors import BadInput

Make = Callable[..., Rig]
HOSTS = ["h1", "h2", "h3"]
SERVERS = {"s1": "h1", "s2": "h1", "s3": "h2"}
MOVES = (move("a", "s1", "h1", "h3"), move("b", "s2", "h1", "h3", "a"), move("c", "s3", "h2", "h3", "b"))


@contextmanager
def at_work(made: Rig, only: set[str] | None = None) -> Iterator[Engine]:
    engine = make_engine(made.store, FiledCloud(made.cloud.path), Orders(made.url, str(made.cloud.path), ""))
    engine.carrier.only = only
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def owners(store: Store) -> set[str | None]:
    with store.reading() as c:
        return set(c.execute(sa.select(operations.c.owner)).scalars())


def test_a_worker_leaves_no_thread_behind_and_can_begin_again(sqlite: Make) -> None:
    made = sqlite(SERVERS, HOSTS)
    run = made.submit(*MOVES[:1])
    before = set(threading.enumerate())
    for _ in range(2):
        with at_work(made) as engine:
            engine.enqueue(run)
            made.until(made.over)
    made.until(lambda: set(threading.enumerate()) <= before)


def test_ending_while_operations_wait_gives_everything_back(sqlite: Make) -> None:
    made = sqlite(SERVERS, HOSTS)
    made.cloud.break_("start", "never", 1, "s1")
    run = made.submit(*MOVES)
    with at_work(made) as engine:
        engine.enqueue(run)
        made.until(lambda: made.states()["a"] == "running" and owners(made.store) == {engine.lease.executor})
    assert made.states() == {"a": "running", "b": "pending", "c": "pending"}
    assert owners(made.store) == {None}
    with made.store.reading() as c:
        assert c.scalar(sa.select(sa.func.count()).select_from(leases)) == 0


def test_going_on_twice_with_a_run_changes_nothing(sqlite: Make) -> None:
    made = sqlite(SERVERS, HOSTS)
    run = made.submit(*MOVES)
    with at_work(made) as engine:
        for _ in range(3):  # beside the worker's own look for work
            engine.enqueue(run)
        made.until(made.over)
    with made.store.reading() as c:
        assert c.exec_driver_sql("select count(*) from workflow_status").scalar() == 3, "each operation is queued once"
    assert made.asked() == {"s1": 1, "s2": 1, "s3": 1}


def test_an_unknown_run_is_bad_input(sqlite: Make) -> None:
    with (
        at_work(sqlite(SERVERS, HOSTS)) as engine,
        pytest.raises(BadInput, match='no run "r-0"; see `watari runs list`'),
    ):
        engine.enqueue("r-0")


def test_an_entry_that_got_lost_between_the_queue_and_its_thread_is_made_again(sqlite: Make) -> None:
    made = sqlite(SERVERS, HOSTS)
    run = made.submit(*MOVES[:1])
    with at_work(made, only=set()) as engine:  # it looks for nothing by itself yet
        assert engine._queue is not None
        with made.store.writing() as c:
            engine._queue._enqueue(c, SimpleNamespace(run_id=run, id="a", state="pending", seq=0))
            lost = "update workflow_status set status = 'PENDING', executor_id = ? where status = 'ENQUEUED'"
            assert c.exec_driver_sql(lost, (engine.lease.executor,)).rowcount == 1
        engine.carrier.only = None
        made.until(made.over)
    assert made.asked() == {"s1": 1}
