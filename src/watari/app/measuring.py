"""Measure moves that are over: when, from which records, and what the journal says of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from watari.act.journal import Entry, Journal, OperationRecord, Run, State, StepRecord
from watari.jobs.balance.benefit import Before, Benefit, Paid, befores, measure, with_gains
from watari.jobs.balance.benefit_words import benefit_text
from watari.model.compute import ComputeSnapshot, PastMove, ServerId
from watari.policy.values import Detect

STEP: Final = "measure"  # what the journal calls it
PATIENCE_S: Final = 600.0  # longest wait for a load that does not come, or for other moves off the same host


def moved_at(record: OperationRecord) -> datetime | None:
    """When the record's move was over; None unless it was made."""
    moving = record.moving
    return moving.ended_at if moving is not None and record.over and made_by_us(moving) else None


def has_changed(record: OperationRecord) -> bool:
    """Whether there is something to take back: all of it is done, or it has moved although something else failed."""
    moving = record.moving
    if moving is not None:
        return record.over and made_by_us(moving)
    return record.state == "done" and any(map(made_by_us, record.steps))


def made_by_us(r: StepRecord) -> bool:
    """It is done because the cloud was asked for it here: not found done already, nor asked for by somebody else."""
    return r.state == "done" and r.handle is not None and not r.adopted


def measured(
    record: OperationRecord, before: Before, snapshot: ComputeSnapshot, settle_s: float, detect: Detect
) -> Benefit:
    """What a move brought, beside what it cost. The record is of a move that was made."""
    moving, ended = record.moving, moved_at(record)
    assert moving is not None
    assert ended is not None
    cost = record.operation.cost
    seconds = (ended - moving.asked_at).total_seconds() if moving.asked_at else cost.seconds
    paid = Paid(moving.total_mib or cost.mib, seconds, cost.downtime_s)
    return measure(record.operation, before, paid, ended, snapshot, settle_s, detect)


def journal_entry(run: str, benefit: Benefit) -> Entry:
    """The benefit as a line of the journal; `skipped` where nothing could be measured."""
    state: State = "done" if benefit.measured else "skipped"
    at, name = benefit.measured_at, benefit.moved.name
    return Entry(at, run, benefit.operation, name, STEP, state, benefit_text(benefit))


def by_source(records: Iterable[OperationRecord]) -> dict[str, list[OperationRecord]]:
    """The records by the host that they leave."""
    found: dict[str, list[OperationRecord]] = {}
    for record in records:
        found.setdefault(record.operation.source, []).append(record)
    return found


def ready(record: OperationRecord, off: Mapping[str, list[OperationRecord]], now: datetime, settle_s: float) -> bool:
    """The meter has seen the record's move, and no other move off the same host is to come that belongs to it.

    `off` holds all records by the host that they leave.

    Only together do they relieve their host, but none of them waits for the others for longer than PATIENCE_S.
    """
    ended, source = moved_at(record), record.operation.source
    if ended is None or (waited_s := (now - ended).total_seconds() - settle_s) < 0:
        return False
    settled = timedelta(seconds=settle_s)
    others = (o for o in off[source] if o is not record)
    return waited_s >= PATIENCE_S or all(
        o.over and ((at := moved_at(o)) is None or at + settled <= now) for o in others
    )


@dataclass(frozen=True, slots=True)
class _Open:
    run: str
    record: OperationRecord
    before: Before


@dataclass(slots=True)
class Measuring:
    """Measures the moves of a process that lives on in memory, `settle_s` after each is over.

    `benefits` holds them by server and by the end of its move, as the journal has it.
    """

    settle_s: float
    benefits: dict[tuple[str, datetime], Benefit] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _told: dict[tuple[ServerId, datetime], PastMove] = field(default_factory=dict)  # the cloud's record, filled in

    def begin(self, run: Run, snapshot: ComputeSnapshot) -> None:
        """Keep what is seen of the run's servers before they move."""
        before = befores(run.plan.operations, snapshot)
        self._open += [_Open(run.id, o, before[o.operation.id]) for o in run.operations if o.operation.id in before]

    def forget_waiting(self) -> None:
        """What never started is planned anew; what failed moved nothing."""
        self._open = [o for o in self._open if o.record.under_way or moved_at(o.record) is not None]

    def look(self, snapshot: ComputeSnapshot, detect: Detect, journal: Journal) -> None:
        """Book every move that has been over for long enough, in the order in which they ended."""
        if not self._open:
            return
        now, fresh = snapshot.taken_at, []
        off = by_source(o.record for o in self._open)
        due = [(moved_at(o.record) or now, o) for o in self._open if ready(o.record, off, now, self.settle_s)]
        for ended, one in sorted(due, key=lambda pair: pair[0]):
            found = measured(one.record, one.before, snapshot, self.settle_s, detect)
            if not found.measured and (now - ended).total_seconds() < self.settle_s + PATIENCE_S:
                continue
            self._open.remove(one)
            self.benefits[found.moved.server, ended] = found
            fresh.append(found)
            journal(journal_entry(one.run, found))
        for old, new in zip(snapshot.past, with_gains(snapshot.past, fresh) if fresh else (), strict=False):
            if new is not old:
                self._told[old.server, old.ended] = new

    def recalled(self, past: Iterable[PastMove]) -> list[PastMove]:
        """The cloud's record with what its moves brought."""
        told = self._told
        return [told.get((m.server, m.ended), m) for m in past] if told else list(past)
