"""A worker: it has a lease, and carries out what DBOS's queues hand to it."""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from dbos import DBOS, DBOSConfig, error

from watari.act.durable.asking import reopen
from watari.act.durable.carrying import Carrier, Context
from watari.act.durable.lease import TTL_S, Lease
from watari.act.durable.queue import APPLICATION, UNDER_WAY, VERSION, WAITING, WORKFLOW, Queue
from watari.act.durable.store import Store
from watari.errors import Transient, WatariError

log = logging.getLogger(__name__)
# Operations per worker and queue, most of which wait: five times the default budget of moves.
AT_ONCE: Final = int(os.environ.get("WATARI_AT_ONCE", "64"))
QUEUE_POLL_S = 0.5
LEAVE_S: Final = 5.0  # how long the end of a worker waits for calls to the cloud that have not returned


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1_000_000)
def carry_out(run_id: str, operation: str) -> str:
    """One operation. All that has to last is in Watari's records: run again, it goes on from there."""
    assert _engine is not None, "workflows run in a process with an Engine"
    return _engine.carrier.carry(run_id, operation)


class Engine:
    """One worker. DBOS is one per process, so is this. With SQLite there is one at a time; `start` raises Busy."""

    def __init__(
        self,
        store: Store,
        open_run: Callable[["Engine", str], Context],
        ttl_s: float = TTL_S,
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        self.store, self.at_once = store, at_once
        self.lease = Lease(store, ttl_s)
        self.carrier = Carrier(lambda run_id: open_run(self, run_id), at_once=at_once)
        self._queue: Queue | None = None
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look_for_work, daemon=True, name="look-for-work")

    def start(self) -> None:
        """Take the lease and begin to work. Raises Busy, and what the database says."""
        global _engine
        self.lease.take()
        _engine = self
        try:
            with (
                self.store.alone("opening the queue"),
                self.store.translating(),
            ):  # two workers at first start make tables once
                DBOS(config=self._config())
                DBOS.launch()
                self._queue = Queue(self.store, self.lease, self.carrier.is_at_work, self.at_once)
                for name in (UNDER_WAY, WAITING):
                    DBOS.register_queue(
                        name, worker_concurrency=self.at_once, polling_interval_sec=QUEUE_POLL_S,
                        on_conflict="always_update",
                    )  # fmt: skip
        except (WatariError, error.DBOSException) as e:
            self.stop()
            if isinstance(e, WatariError):
                raise
            raise Transient(f"the queue in {self.store.shown} cannot be opened: {e}") from e
        self._looking.start()

    def enqueue(self, run_id: str) -> int:
        """Go on with a run, whether new or interrupted; returns how many operations nobody had.

        An operation that somebody carries out already is left to him: claiming decides, not the queue.
        """
        assert self._queue is not None, "started"
        reopen(self.store, run_id)
        return self._queue.fill({run_id})

    def take_up(self, run_id: str) -> int:
        """Work on a run that has just begun, unless somebody has stopped it already; returns as `enqueue` does."""
        assert self._queue is not None, "started"
        return self._queue.fill({run_id})

    def finish(self) -> None:
        """Begin nothing more; return when nothing is under way here any more."""
        self.carrier.leaving.set()
        self.carrier.turns.wake_all()
        while not (self.carrier.idle or self.carrier.trouble):
            time.sleep(0.1)

    def stop(self) -> None:
        """Leave everything as it is, at once: the cloud goes on with it, and another worker, or the next one here."""
        global _engine
        self._ended.set()
        self.carrier.leaving.set()
        self.carrier.ended.set()
        self.carrier.turns.wake_all()
        until = time.monotonic() + LEAVE_S
        while not self.carrier.idle and time.monotonic() < until:
            time.sleep(0.05)
        if self._looking.is_alive():
            self._looking.join(LEAVE_S)
        DBOS.destroy(workflow_completion_timeout_sec=0)
        if self._queue is not None:
            self._queue.close()
        if self.carrier.idle:  # else the lease lives as long as this process: a call that it made is not over
            self.lease.release()
        _engine = None

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": APPLICATION, "executor_id": self.lease.executor, "application_version": VERSION,
            "system_database_url": self.store.url.render_as_string(hide_password=False), "log_level": "CRITICAL",
            "enable_otlp": False, "run_migrations": True, "max_executor_threads": 2 * self.at_once + 16,
            "sys_db_pool_size": 20, "sys_db_idle_transaction_timeout_sec": self.lease.ttl_s,
        }  # fmt: skip
        if not self.store.is_postgres:
            config["system_database_engine"] = self.store.engine
        return config

    def _look_for_work(self) -> None:
        """Its own thread: a lock held by a stopped process may block it, and must not block the lease."""
        assert self._queue is not None
        while not self._ended.is_set():
            begun = time.monotonic()
            if not self.carrier.leaving.is_set():
                try:
                    self._queue.fill(self.carrier.only, self.carrier.resting())
                except (WatariError, error.DBOSException) as e:
                    log.warning("looking for work: %s", e)
            self._ended.wait(max(self.lease.beat_s, 20 * (time.monotonic() - begun)))


_engine: Engine | None = None
