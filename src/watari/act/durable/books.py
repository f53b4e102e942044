"""A saga's Books in the database: budgets over all workers, and writes that only the owner of an operation can make."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from watari.act.durable.lease import Lease, bury
from watari.act.durable.records import columns_of, record_of
from watari.act.durable.store import Store
from watari.act.durable.tables import entries, operations, runs
from watari.act.guard import Go, Guard, UnderWay, Wait
from watari.act.journal import OVER, Entry, OperationRecord, Run, State, StepRecord
from watari.errors import Transient
from watari.model.compute import HostName
from watari.plan.plan import Operation, OperationId
from watari.plan.steps import MOVES
from watari.ports import Clock

log = logging.getLogger(__name__)
PATIENCE_S = 120.0  # a database that is away: writes are tried again for so long, unless the lease runs out before
RETRY_S = 1.0


class Lost(Exception):
    """The operation is another process's by now, or nobody's: leave it alone."""


class Books:
    """Records of one run's operations, as one process writes them.

    Every write names the owner: a process that was taken over changes nothing any more, not even by accident.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        cloud: str,
        guard: Guard,
        clock: Clock,
        *,
        others: Callable[[], list[UnderWay]] = list,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        """`others`: moves that somebody else started. `released` is called when places in the budgets become free."""
        self.store, self.lease, self.cloud, self.guard, self.clock = store, lease, cloud, guard, clock
        self.others, self.released = others, released

    def claim(self, run: str, operation: Operation) -> OperationRecord:
        """Take an operation over from nobody, from the dead, or from ourselves. Raises Lost while a live one has it."""
        t, me = operations, self.lease.executor
        this = sa.and_(t.c.run_id == run, t.c.id == operation.id)
        free = sa.or_(t.c.owner.is_(None), t.c.owner == me)
        for alive in (lambda: None, lambda: bury(self.store, self.lease.ttl_s)):
            living = alive()
            may = free if living is None else sa.or_(free, t.c.owner.not_in(living))
            with self.store.writing() as c:
                if c.execute(t.update().where(this, may).values(owner=me)).rowcount:
                    return record_of(c.execute(sa.select(t).where(this)).one(), operation)
        raise Lost(f"operation {operation.id} of {run} is another worker's")

    def leave(self, run: Run, record: OperationRecord) -> None:
        """Give an operation back that has not begun or is over."""
        t = operations
        with self.store.writing() as c:
            mine = (t.c.run_id == run.id, t.c.id == record.operation.id, t.c.owner == self.lease.executor)
            c.execute(t.update().where(*mine).values(owner=None))

    def states(self, run: Run, ids: Iterable[OperationId]) -> Mapping[OperationId, State]:
        t = operations
        with self.store.reading() as c:
            rows = c.execute(sa.select(t.c.id, t.c.state).where(t.c.run_id == run.id, t.c.id.in_(list(ids)))).all()
        return {OperationId(row.id): row.state for row in rows}

    def may_start(self, run: Run, record: OperationRecord, now: datetime) -> Wait | None:
        others = self.others()  # asks the cloud: not within a transaction
        with self.store.reading() as c:
            verdict = self._judge(c, record, others, now)
        return verdict if isinstance(verdict, Wait) else None

    def intend(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> Wait | None:
        others = self.others()
        with self.store.writing(budget_of=self.cloud) as c:
            verdict = self._judge(c, record, others, now)
            if isinstance(verdict, Wait):
                return verdict
            before = (r.step, r.state, r.asked_at, record.state, record.waits)
            if isinstance(r.step, MOVES):
                r.step = replace(r.step, bandwidth_mib_s=verdict.rate_mib_s)
            r.state, r.asked_at, record.state, record.waits = "intended", r.asked_at or now, "intended", ""
            try:
                self._store(c, run, record, r, now)
            except BaseException:
                r.step, r.state, r.asked_at, record.state, record.waits = before
                raise
        return None

    def write(self, run: Run, record: OperationRecord, r: StepRecord) -> None:
        self._insist(lambda c: self._store(c, run, record, r, self.clock.now()))
        if not r.asked and isinstance(r.step, MOVES):
            self.released()

    def progress(self, run: Run, record: OperationRecord) -> None:
        """Store how far an operation is, for those who look on; no journal entry."""
        self._insist(lambda c: self._update(c, run.id, record))

    def fence(self, run: Run, record: OperationRecord) -> None:
        self.lease.check()
        t = operations
        with self.store.reading() as c:
            owner = c.scalar(sa.select(t.c.owner).where(t.c.run_id == run.id, t.c.id == record.operation.id))
        if owner != self.lease.executor:
            raise Lost(f"operation {record.operation.id} of {run.id} is {owner or 'nobody'}'s now")
        self.lease.check()

    def read_flags(self, run: Run) -> None:
        """What people asked of the run meanwhile."""
        with self.store.reading() as c:
            row = c.execute(sa.select(runs.c.stopping, runs.c.cancelled).where(runs.c.id == run.id)).one()
        run.stopping, run.cancelled = row.stopping, row.cancelled

    def close_if_over(self, run: str, now: datetime) -> bool:
        """Note the run's end once every operation is over; True if this call did."""
        t = operations
        with self.store.writing() as c:
            left = c.scalar(sa.select(sa.func.count()).where(t.c.run_id == run, t.c.state.not_in(list(OVER))))
            if left:
                return False
            ended = runs.update().where(runs.c.id == run, runs.c.ended_at.is_(None)).values(ended_at=now.isoformat())
            return c.execute(ended).rowcount == 1

    def _judge(self, c: sa.Connection, record: OperationRecord, others: list[UnderWay], now: datetime) -> Go | Wait:
        """The guard's verdict over all that any worker has under way on this cloud, and over what others do."""
        return self.guard.may_start(record.operation, [*holders(c, self.cloud), *others], now)

    def _store(self, c: sa.Connection, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        self._update(c, run.id, record)
        e = Entry.of(now, run.id, record.operation, r)
        row = {"at": e.at.isoformat(), "run_id": e.run, "operation": e.operation, "subject": e.subject, "step": e.step}
        c.execute(entries.insert().values(**row, state=e.state, text=e.text, executor=self.lease.executor))

    def _update(self, c: sa.Connection, run: str, record: OperationRecord) -> None:
        t = operations
        mine = (t.c.run_id == run, t.c.id == record.operation.id, t.c.owner == self.lease.executor)
        if not c.execute(t.update().where(*mine).values(**columns_of(record), changed=self.store.now)).rowcount:
            raise Lost(f"operation {record.operation.id} of {run} is another worker's by now")

    def _insist(self, write: Callable[[sa.Connection], None]) -> None:
        """Write what has happened already: it must not be forgotten because the database is away for a moment."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self.store.writing() as c:
                    write(c)
                return
            except Transient as e:
                self.lease.check()
                if time.monotonic() > until:
                    raise
                log.warning("%s; trying again", e)
                time.sleep(RETRY_S)


def holders(c: sa.Connection, cloud: str) -> list[UnderWay]:
    """What all workers have under way on a cloud: it holds budgets."""
    t = operations
    wanted = sa.select(t.c.source, t.c.target, t.c.zone, t.c.role, t.c.rate_mib_s)
    rows = c.execute(wanted.where(t.c.cloud == cloud, t.c.holding.is_(True))).all()
    return [UnderWay(HostName(r.source), HostName(r.target), r.zone, r.role, r.rate_mib_s) for r in rows]
