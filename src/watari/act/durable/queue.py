"""What DBOS's queues hold, and what they should: an operation that no living process carries out is queued again."""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions

from watari.act.durable.lease import Lease, bury
from watari.act.durable.store import Store
from watari.act.durable.tables import operations, runs
from watari.act.journal import OVER

log = logging.getLogger(__name__)
APPLICATION: Final = "watari"
VERSION: Final = "watari-1"  # of the workflow: workers take only work of their own version
WORKFLOW: Final = "carry-out"
WAITING: Final = "watari-waiting"
UNDER_WAY: Final = "watari-under-way"  # holds budgets that all the waiting ones may wait for: never behind them
LEAST: Final = 8  # operations of a cloud that are queued, however many other clouds there are
HANDED_S: Final = 1.0  # between the queue and the thread that carries out what it handed over
Place = tuple[str, str]  # run and operation


@dataclass(slots=True)
class Queue:
    """Keeps the queues true to the records. `at_work` says whether this process carries an operation out just now."""

    store: Store
    lease: Lease
    at_work: Callable[[Place], bool]
    at_once: int = 64  # operations that one worker has, most of which wait
    _client: DBOSClient = field(init=False)
    # Entries that were handed to this process and not seen at work, since when (monotonic).
    _suspects: dict[str, float] = field(default_factory=dict)
    _filling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._client = DBOSClient(
            system_database_engine=self.store.engine, application_name=APPLICATION, retry_connection_errors=False
        )

    def fill(self, only: Collection[str] | None = None, but: Collection[str] = ()) -> int:
        """Queue whatever has to go on and nobody has, of all runs or of `only` some, `but` these; returns how many.

        Any process may, at any time. That two do at once costs an entry that finds its operation taken.
        """
        with self._filling:
            return self._fill(only, but)

    def _fill(self, only: Collection[str] | None, but: Collection[str]) -> int:
        with self.store.translating():
            entries = self._client.list_workflows(
                name=WORKFLOW, status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
            )
        living = bury(self.store, self.lease.ttl_s)  # read after the entries: a process leases before it takes any
        dead = self._dead(entries, living)
        queued = {_place(e.workflow_id) for e in entries if e.workflow_id not in dead}
        with self.store.writing() as c:
            _close(c, only)
            left = [r for r in _left(c, living, only) if r.run_id not in but and self._is_free(r, queued)]
            found = shared(left, _by_cloud(c, queued), self.at_once * max(1, len(living)))
            for row in found:
                self._enqueue(c, row)
        if dead:
            with self.store.translating():
                self._client.cancel_workflows(sorted(dead))
        if dead or found:
            log.info("queued %d operations; %d entries were of dead processes", len(found), len(dead))
        return len(found)

    def close(self) -> None:
        self._client.destroy()

    def _dead(self, entries: list[Any], living: set[str]) -> set[str]:
        """Entries in the hands of processes that are gone, or that were handed to this one and got lost on the way."""
        pending = [e for e in entries if e.status == "PENDING"]
        now, mine = time.monotonic(), [e.workflow_id for e in pending if e.executor_id == self.lease.executor]
        lost = {id: self._suspects.get(id, now) for id in mine if not self.at_work(_place(id))}
        late = {id for id, since in lost.items() if now - since > HANDED_S}
        dead = {e.workflow_id for e in pending if e.executor_id not in living} | late
        self._suspects = {id: since for id, since in lost.items() if id not in dead}
        return dead

    def _is_free(self, row: Any, queued: set[Place]) -> bool:
        place = (row.run_id, row.id)
        return place not in queued and not (row.owner == self.lease.executor and self.at_work(place))

    def _enqueue(self, c: sa.Connection, row: Any) -> None:
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW, "queue_name": WAITING if row.state == "pending" else UNDER_WAY,
            "workflow_id": f"{row.run_id}/{row.id}/{uuid.uuid4().hex[:12]}", "app_version": VERSION,
            "priority": row.seq + 1,
        }  # fmt: skip
        self._client.enqueue_in_transaction(c, options, row.run_id, row.id)


class Waiting(Protocol):
    """An operation that is to be queued."""

    @property
    def cloud(self) -> str: ...

    @property
    def state(self) -> str: ...


W = TypeVar("W", bound=Waiting)


def shared(rows: Sequence[W], queued: Mapping[str, int], places: int) -> list[W]:
    """What is queued now, so that no cloud takes the workers' `places` from another with operations that only wait.

    As long as one cloud alone has something to do all of it is. What is under way already always is: somebody has to
    watch it. `queued`: operations that have not begun, by their cloud.
    """
    clouds = {row.cloud for row in rows} | queued.keys()
    if len(clouds) < 2:
        return list(rows)
    share = max(LEAST, places // len(clouds))
    room = {cloud: share - queued.get(cloud, 0) for cloud in clouds}
    out = []
    for row in rows:
        if row.state == "pending":
            if room[row.cloud] <= 0:
                continue
            room[row.cloud] -= 1
        out.append(row)
    return out


def _by_cloud(c: sa.Connection, queued: Collection[Place]) -> dict[str, int]:
    """Of the queued operations those that have not begun, by their cloud."""
    if not queued:
        return {}
    o = operations.c
    wanted = sa.select(o.cloud, o.run_id, o.id).where(o.state == "pending")
    rows = c.execute(wanted.where(o.run_id.in_(sorted({run for run, _ in queued}))))
    return dict(Counter(row.cloud for row in rows if (row.run_id, row.id) in queued))


def _left(c: sa.Connection, living: Collection[str], only: Collection[str] | None) -> list[Any]:
    """Operations that have to go on and that no living process has, but perhaps this one. In the plan's order.

    Of a run that is being stopped: only what is under way. Of a cancelled one all, so that each is told.
    """
    o, goes_on = operations.c, sa.or_(~runs.c.stopping, runs.c.cancelled, operations.c.state != "pending")
    wanted = sa.select(o.run_id, o.id, o.seq, o.state, o.owner, o.cloud).join(runs, runs.c.id == o.run_id)
    wanted = wanted.where(runs.c.ended_at.is_(None), goes_on, o.state.not_in(list(OVER)))
    wanted = wanted.where(sa.or_(o.owner.is_(None), o.owner.not_in(list(living))))
    if only is not None:
        wanted = wanted.where(o.run_id.in_(list(only)))
    return list(c.execute(wanted.order_by(runs.c.started_at, o.run_id, o.seq)))


def _close(c: sa.Connection, only: Collection[str] | None) -> None:
    """Runs whose last process died between its last record and the note that the run is over."""
    rest = sa.exists().where(operations.c.run_id == runs.c.id, operations.c.state.not_in(list(OVER)))
    over = runs.update().where(runs.c.ended_at.is_(None), ~rest).values(ended_at=datetime.now(UTC).isoformat())
    c.execute(over if only is None else over.where(runs.c.id.in_(list(only))))


def _place(workflow_id: str) -> Place:
    run, _, rest = workflow_id.partition("/")
    return run, rest.rpartition("/")[0]
