"""A saga's Books in the database: budgets over all workers, and writes that only the owner of an operation can make."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from watari.act.durable import statements as st
from watari.act.durable.lease import Lease, Lost, bury
from watari.act.durable.records import columns_of, record_of
from watari.act.durable.store import Store, budgets_of
from watari.act.durable.tables import runs
from watari.act.guard import Go, Guard, UnderWay, Wait, allot, holding
from watari.act.journal import Entry, OperationRecord, Run, State, StepRecord
from watari.errors import Permanent, Transient
from watari.model.compute import HostName
from watari.plan.plan import Operation, OperationId
from watari.plan.steps import Attach
from watari.ports import Clock

log = logging.getLogger(__name__)
PATIENCE_S = 120.0  # a database that is away: writes are tried again for so long, unless the lease runs out before
RETRY_S = 1.0
FLAGS_S = 0.5
T = TypeVar("T")


class Unwritable(Exception):
    """The database takes nothing, and will not soon: nothing can be written down, so nothing may be done."""


class Books:
    """Records of one run's operations, as one process writes them.

    Every write names the owner: a process that was taken over changes nothing any more, not even by accident. A
    database that is away is asked again: a saga never takes its trouble for the cloud's. Any method may raise Lost and
    Unwritable.
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
        self._flags_at = float("-inf")

    def claim(self, run: str, operation: Operation) -> OperationRecord:
        """Take an operation over from nobody, from the dead, or from ourselves. Raises Lost while a live one has it."""
        this = self._this(run, operation.id)

        def take(c: sa.Connection, claim: "sa.Update") -> OperationRecord | None:
            taken = c.execute(claim, this).rowcount
            return record_of(c.execute(st.RECORD, this).one(), operation) if taken else None

        if (record := self._kept(lambda c: take(c, st.CLAIM))) is not None:
            return record
        dead = st.claim_of_dead(self._insist(lambda: bury(self.store, self.lease.ttl_s)))
        if (record := self._kept(lambda c: take(c, dead))) is not None:
            return record
        raise Lost(f"operation {operation.id} of {run} is another worker's")

    def leave(self, run: Run, record: OperationRecord) -> None:
        """Give an operation back: whoever looks for work takes it up from where it is."""
        self._kept(lambda c: c.execute(st.LEAVE, self._this(run.id, record.operation.id)))

    def states(self, run: Run, ids: Iterable[OperationId]) -> Mapping[OperationId, State]:
        rows = self._read(lambda c: c.execute(st.STATES, {"run": run.id, "operations": list(ids)}).all())
        return {OperationId(row.id): row.state for row in rows}

    def nobody_s(self, run: Run, ids: Iterable[OperationId]) -> bool:
        """Whether one of these is not over, and nobody carries it out."""
        return self._read(lambda c: c.scalar(st.NOBODY_S, {"run": run.id, "operations": list(ids)})) is not None

    def may_start(self, run: Run, record: OperationRecord, now: datetime) -> Wait | None:
        others = self.others()  # asks the cloud: not within a transaction

        def judged(c: sa.Connection) -> Go | Wait:
            if c.scalar(st.OWNER, {"run": run.id, "operation": record.operation.id}) != self.lease.executor:
                raise Lost(f"operation {record.operation.id} of {run.id} was taken away while it waited")
            return self._judge(c, run, record, others, now)

        verdict = self._read(judged)
        return verdict if isinstance(verdict, Wait) else None

    def intend(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> Wait | None:
        others = [] if record.begun else self.others()
        moving = record.moving
        before = (r.state, r.asked_at, r.begun_at, record.state, record.waits, moving.step if moving else None)

        def judged(c: sa.Connection) -> Wait | None:
            r.state, r.asked_at, r.begun_at, record.state, record.waits, step = before
            if moving is not None and step is not None:
                moving.step = step
            flags = c.execute(st.FLAGS, {"run": run.id}).one()
            if flags.stopped and not isinstance(r.step, Attach):  # what was taken out is put back all the same
                return Wait(f"stopped: {flags.stopped}")
            if not record.begun:
                if flags.stopping:
                    return Wait("the run is stopping")
                verdict = self._judge(c, run, record, others, now)
                if isinstance(verdict, Wait):
                    return verdict
                allot(record, verdict.rate_mib_s)
            r.state, r.asked_at, r.begun_at = "intended", r.asked_at or now, now
            record.state, record.waits = "intended", ""
            self._store(c, run, record, r, now)
            return None

        return self._kept(judged, alone=budgets_of(self.cloud))

    def may_go_on(self) -> str:
        return self.guard.may_go_on()

    def write(self, run: Run, record: OperationRecord, r: StepRecord) -> None:
        def kept(c: sa.Connection) -> None:
            self._store(c, run, record, r, self.clock.now())
            if (
                record.leaves_out
            ):  # whatever keeps one from coming back may keep the next one, too: no more are taken out
                c.execute(runs.update().where(runs.c.id == run.id).values(stopping=True))

        self._kept(kept)
        run.stopping = run.stopping or record.leaves_out
        if not record.under_way:
            self.released()

    def progress(self, run: Run, record: OperationRecord) -> None:
        """Store how far an operation is, for those who look on; no journal entry."""
        self._kept(lambda c: self._update(c, run.id, record))

    def share(self, run: Run, record: OperationRecord, now: datetime) -> float | None:
        """More is written down before it is used, in one transaction with what all others have."""
        held, others = holding(record), self.others()
        if held is None:
            return None

        def shared(c: sa.Connection) -> float:
            busy = holders(c, self.cloud, but=(run.id, record.operation.id))
            rate = self.guard.share(record.operation, held.rate_mib_s, [*busy, *others], now)
            if rate > held.rate_mib_s:
                allot(record, rate)
                self._update(c, run.id, record)
                allot(record, held.rate_mib_s)  # it is used once the cloud has heard of it
            return rate

        return self._kept(shared, alone=budgets_of(self.cloud))

    def fence(self, run: Run, record: OperationRecord) -> None:
        self.lease.check()
        owner = self._read(lambda c: c.scalar(st.OWNER, {"run": run.id, "operation": record.operation.id}))
        if owner != self.lease.executor:
            raise Lost(f"operation {record.operation.id} of {run.id} is {owner or 'nobody'}'s now")
        self.lease.check()

    def read_flags(self, run: Run) -> None:
        """What people asked of the run meanwhile: at most FLAGS_S old, for all of its operations together."""
        if (begun := time.monotonic()) - self._flags_at < FLAGS_S:
            return
        row = self._read(lambda c: c.execute(st.FLAGS, {"run": run.id}).one())
        run.stopping, run.cancelled, self._flags_at = row.stopping, row.cancelled, begun
        self.guard.stopped = row.stopped or ""

    def close_if_over(self, run: str) -> bool:
        """Note the run's end once every operation is over; True if this call did."""
        if self._read(lambda c: c.scalar(st.LEFT, {"run": run})) is not None:
            return False
        at = self.clock.now().isoformat()
        return self._kept(lambda c: c.execute(st.CLOSE, {"run": run, "at": at}).rowcount) == 1

    def _judge(
        self, c: sa.Connection, run: Run, record: OperationRecord, others: list[UnderWay], now: datetime
    ) -> Go | Wait:
        """The guard's verdict over all that any worker has under way on this cloud, and over what others do."""
        busy = holders(c, self.cloud, but=(run.id, record.operation.id))
        return self.guard.may_start(record.operation, [*busy, *others], now)

    def _store(self, c: sa.Connection, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        self._update(c, run.id, record)
        e = Entry.of(now, run.id, record.operation, r)
        row = {"at": e.at.isoformat(), "run_id": e.run, "operation": e.operation, "subject": e.subject, "step": e.step}
        c.execute(st.ENTRY, row | {"state": e.state, "text": e.text, "executor": self.lease.executor})
        log.info("%s %s: %s%s", e.subject, e.step, e.state, f" ({e.text})" if e.text else "")

    def _update(self, c: sa.Connection, run: str, record: OperationRecord) -> None:
        new = {f"new_{name}": value for name, value in columns_of(record).items()}
        if not c.execute(st.store_record(self.store.now), self._this(run, record.operation.id) | new).rowcount:
            raise Lost(f"operation {record.operation.id} of {run} is another worker's by now")

    def _this(self, run: str, operation: str) -> dict[str, str]:
        return {"run": run, "operation": operation, "me": self.lease.executor}

    def _kept(self, write: Callable[[sa.Connection], T], *, alone: str = "") -> T:
        def transaction() -> T:
            with self.store.writing(alone=alone) as c:
                return write(c)

        return self._insist(transaction)

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        def look() -> T:
            with self.store.reading() as c:
                return read(c)

        return self._insist(look)

    def _insist(self, ask: Callable[[], T]) -> T:
        """What has happened already must not be forgotten because the database is away for a moment: ask again."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except Permanent as e:
                raise Unwritable(str(e)) from e
            except Transient as e:
                self.lease.check()
                if time.monotonic() > until:
                    raise Unwritable(str(e)) from e
                log.warning("%s; trying again", e)
                time.sleep(RETRY_S)


def holders(c: sa.Connection, cloud: str, but: tuple[str, str] = ("", "")) -> list[UnderWay]:
    """What all workers have under way on a cloud, `but` one operation: it holds budgets."""
    rows = c.execute(st.HOLDERS, {"cloud": cloud, "run": but[0], "operation": but[1]})
    return [
        UnderWay(
            HostName(r.source), HostName(r.target), r.zone, r.role, r.rate_mib_s,
            tuple(filter(None, r.orchestrators.split(","))),
        )
        for r in rows
    ]  # fmt: skip
