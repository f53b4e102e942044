"""The queue: DBOS hands operations to workers, and gives those of dead workers to living ones."""

import logging
import threading
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID

from watari.act.durable.carrying import Carrier, Context
from watari.act.durable.lease import TTL_S, Lease, bury
from watari.act.durable.store import Store
from watari.act.durable.tables import operations, runs
from watari.act.journal import OVER
from watari.errors import BadInput, WatariError

log = logging.getLogger(__name__)
VERSION: Final = "watari-1"  # of the workflow: workers adopt only work of their own version
QUEUE: Final = "watari-operations"
AT_ONCE: Final = 200  # operations per worker: most of them sleep between two looks
QUEUE_POLL_S: Final = 0.5


@DBOS.workflow(name="carry-out", max_recovery_attempts=1_000_000)
def carry_out(run_id: str, operation: str) -> str:
    """One operation. All that has to last is in Watari's records: run again, it goes on from there."""
    assert _engine is not None, "workflows run in a process with an Engine"
    return _engine.carrier.carry(run_id, operation)


class Engine:
    """One worker. DBOS is one per process, so is this. With SQLite there is one at a time; `start` raises Busy."""

    def __init__(self, store: Store, open_run: Callable[["Engine", str], Context], ttl_s: float = TTL_S) -> None:
        self.store = store
        self.lease = Lease(store, ttl_s)
        self.carrier = Carrier(lambda run_id: open_run(self, run_id), requeue=self._requeue)
        self._ended = threading.Event()

    def start(self) -> None:
        """Take the lease and begin to work."""
        global _engine
        self.lease.take()
        _engine = self
        config: DBOSConfig = {
            "name": "watari", "executor_id": self.lease.executor, "application_version": VERSION,
            "system_database_url": self.store.url.render_as_string(hide_password=False), "log_level": "CRITICAL",
            "enable_otlp": False, "run_migrations": True, "max_executor_threads": AT_ONCE + 16,
            "sys_db_pool_size": 20, "sys_db_idle_transaction_timeout_sec": self.lease.ttl_s,
        }  # fmt: skip
        if not self.store.is_postgres:
            config["system_database_engine"] = self.store.engine
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=QUEUE_POLL_S, on_conflict="always_update"
        )
        threading.Thread(target=self._adopt_for_ever, daemon=True, name="adopt").start()

    def enqueue(self, run_id: str) -> int:
        """Queue what is not over of a run, whether new or interrupted; returns how many operations that is.

        An operation that somebody carries out already is left to him: claiming decides, not the queue.
        """
        with self.store.writing() as c:
            row = c.execute(sa.select(runs.c.epoch).where(runs.c.id == run_id)).first()
            if row is None:
                raise BadInput(f'no run "{run_id}"; see `watari runs list`')
            c.execute(runs.update().where(runs.c.id == run_id).values(epoch=row.epoch + 1, stopping=False))
            left = sa.select(operations.c.id).where(
                operations.c.run_id == run_id, operations.c.state.not_in(list(OVER))
            )
            ids = list(c.execute(left.order_by(operations.c.seq)).scalars())
        for id in ids:
            with SetWorkflowID(f"{run_id}:{id}:{row.epoch + 1}"):
                DBOS.enqueue_workflow(QUEUE, carry_out, run_id, id)
        return len(ids)

    def _requeue(self, run_id: str, operation: str) -> None:
        """Hand an operation that cannot be worked on here to whoever can."""
        DBOS.enqueue_workflow(QUEUE, carry_out, run_id, operation)

    def stop(self) -> None:
        """Begin nothing more and give back what has not begun. Moves under way are to be over before."""
        global _engine
        self._ended.set()
        self.carrier.leaving.set()
        self.carrier.turns.wake_all()
        DBOS.destroy(workflow_completion_timeout_sec=5)
        self.lease.release()
        _engine = None

    def _adopt_for_ever(self) -> None:
        """Its own thread: a lock held by a stopped process may block it, and must not block the lease."""
        while not self._ended.is_set():
            try:
                adopt(self.store, self.lease.ttl_s)
            except (WatariError, sa.exc.SQLAlchemyError) as e:
                log.warning("looking for work of dead workers: %s", e)
            self._ended.wait(self.lease.beat_s)


def adopt(store: Store, ttl_s: float) -> int:
    """Hand the workflows of dead processes back to the queue. Idempotent; any worker, any time."""
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    busy = {workflow.executor_id for workflow in pending if workflow.executor_id}
    orphans = busy - bury(store, ttl_s)  # read after the workflows: a process leases before it takes any
    if not orphans:
        return 0
    # Conditional on the dead owner, unlike the public resume: a workflow that was adopted meanwhile is left alone.
    adopted = DBOS._recover_pending_workflows(sorted(orphans))
    log.info("took over %d operations of %s", len(adopted), ", ".join(sorted(orphans)))
    return len(adopted)


_engine: Engine | None = None
