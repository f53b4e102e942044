"""Runs, operations and their step records as rows, and back."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from watari.act.durable.store import Store
from watari.act.durable.tables import entries, operations, plans, runs
from watari.act.guard import holding
from watari.act.journal import Entry, OperationRecord, Run, StepRecord, run_id
from watari.errors import BadInput, NotFound
from watari.plan import codec
from watari.plan.accompany import orchestrators_of
from watari.plan.plan import Operation, Plan
from watari.policy.values import Policy

OVERLAP_S = 5.0
UNDER_WAY = ("intended", "running", "undoing")
_STEPS = tuple[StepRecord, ...]


@dataclass(frozen=True, slots=True)
class RunRow:
    """What `watari runs list` shows of a run."""

    id: str
    plan_id: str
    job: str
    cloud: str
    started_at: datetime
    ended_at: datetime | None
    stopping: bool
    cancelled: bool
    epoch: int
    starved_before: int | None
    starved_after: int | None
    counts: dict[str, int]

    @property
    def state(self) -> str:
        """One word for the whole."""
        if self.ended_at is None:
            return "cancelling" if self.cancelled else "stopped" if self.stopping else "running"
        if self.cancelled:
            return "cancelled"
        return "done" if set(self.counts) <= {"done"} else "partly"

    @property
    def goes_on(self) -> bool:
        """Somebody works on it, or will without being asked: it is not one that was stopped and left."""
        return self.ended_at is None and (not self.stopping or not self.counts.keys().isdisjoint(UNDER_WAY))


def submit(
    store: Store, plan: Plan, cloud: str, policy: tuple[str, str], now: datetime, starved_before: int | None = None
) -> tuple[str, bool]:
    """Keep a plan and begin a run of it; returns the run's id and whether it is new.

    A run of the same plan that is not over is gone on with. One that is over is followed by another, which finds done
    what was done. `policy` is its text and its source.
    """
    with store.writing(alone=plan.id) as c:
        keep_plan(c, plan, cloud)
        earlier = c.execute(sa.select(runs.c.id, runs.c.ended_at).where(runs.c.plan_id == plan.id)).all()
        if open_ := next((row.id for row in earlier if row.ended_at is None), None):
            return open_, False
        id = run_id(plan) + (f".{len(earlier) + 1}" if earlier else "")
        insert_run(c, id, plan, cloud, policy, now, starved_before)
    return id, True


def insert_run(
    c: sa.Connection, id: str, plan: Plan, cloud: str, policy: tuple[str, str], now: datetime, starved: int | None
) -> None:
    """Write a new run of a plan that is kept, within a transaction."""
    row = {"id": id, "plan_id": plan.id, "job": plan.job, "cloud": cloud, "started_at": now.isoformat()}
    row |= {"policy_text": policy[0], "policy_source": policy[1]}
    flags = {"stopping": False, "cancelled": False, "epoch": 0, "starved_before": starved}
    c.execute(runs.insert().values(**row, **flags))
    rows = [_operation_row(id, cloud, seq, op) for seq, op in enumerate(plan.operations)]
    if rows:
        c.execute(operations.insert(), rows)
    else:
        c.execute(runs.update().where(runs.c.id == id).values(ended_at=now.isoformat()))


def keep_plan(c: sa.Connection, plan: Plan, cloud: str) -> None:
    """Keep a plan. Raises BadInput when one of this id is kept that does something else."""
    kept = c.scalar(sa.select(plans.c.text).where(plans.c.id == plan.id))
    if kept is not None and codec.loads(kept, plan.id).operations != plan.operations:
        raise BadInput(f"{plan.id} is kept already, with other operations: a file was edited; plan again")
    if kept is None:
        row = {"id": plan.id, "job": plan.job, "cloud": cloud, "made_at": plan.made_at.isoformat()}
        c.execute(plans.insert().values(**row, text=codec.dumps(plan)))


def plan_of(store: Store, id: str) -> Plan:
    """A plan that is kept. Raises BadInput for an unknown id."""
    with store.reading() as c:
        text = c.scalar(sa.select(plans.c.text).where(plans.c.id == id))
    if text is None:
        raise NotFound(f'no plan "{id}" is kept')
    return codec.loads(text, id)


def load_run(store: Store, id: str) -> Run:
    """The whole run with every record. Raises BadInput for an unknown id."""
    with store.reading() as c:
        found = c.execute(
            sa.select(runs, plans.c.text).join(plans, plans.c.id == runs.c.plan_id).where(runs.c.id == id)
        )
        row = found.first()
        if row is None:
            raise NotFound(f'no run "{id}"; see `watari runs list`')
        records = c.execute(sa.select(operations).where(operations.c.run_id == id).order_by(operations.c.seq)).all()
    plan = codec.loads(row.text, f"the plan of {id}")
    by_id = {op.id: op for op in plan.operations}
    run = Run(id, plan, datetime.fromisoformat(row.started_at), stopping=row.stopping, cancelled=row.cancelled)
    run.operations = [record_of(r, by_id[r.id]) for r in records]
    return run


def policy_of(store: Store, id: str) -> Policy:
    """The policy that the run was begun with."""
    from watari.policy.load import parse_policy  # a tenth of a second that those who only look need not wait for

    with store.reading() as c:
        row = c.execute(sa.select(runs.c.policy_text, runs.c.policy_source).where(runs.c.id == id)).one()
    return parse_policy(row.policy_text, row.policy_source)


def list_runs(
    store: Store,
    *,
    only_open: bool = False,
    limit: int | None = None,
    cloud: str | None = None,
    plan: str | None = None,
    ids: Collection[str] | None = None,
    after: str | None = None,
    ended_after: datetime | None = None,
) -> list[RunRow]:
    """Runs (of a cloud, of a plan, these, over since), newest first, with how many operations are in which state.

    `after`: only those that come after this one. Raises NotFound if that is unknown.
    """
    order = (runs.c.started_at, runs.c.id)
    wanted = sa.select(runs).order_by(*(column.desc() for column in order))
    if ids is not None:
        wanted = wanted.where(runs.c.id.in_(list(ids)))
    if cloud is not None:
        wanted = wanted.where(runs.c.cloud == cloud)
    if plan is not None:
        wanted = wanted.where(runs.c.plan_id == plan)
    if only_open:
        wanted = wanted.where(runs.c.ended_at.is_(None))
    if ended_after is not None:  # texts of several zones compare as times do only to a day
        wanted = wanted.where(runs.c.ended_at > (ended_after - timedelta(days=2)).isoformat())
    with store.reading() as c:
        if after is not None:
            if (last := c.execute(sa.select(*order).where(runs.c.id == after)).first()) is None:
                raise NotFound(f'no run "{after}" to go on after')
            wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(*last))
        wanted = wanted.limit(limit)
        rows = c.execute(wanted).all()
        grouped = sa.select(operations.c.run_id, operations.c.state, sa.func.count().label("n"))
        grouped = grouped.where(operations.c.run_id.in_(wanted.with_only_columns(runs.c.id).scalar_subquery()))
        counts: dict[str, dict[str, int]] = {}
        for row in c.execute(grouped.group_by(operations.c.run_id, operations.c.state)):
            counts.setdefault(row.run_id, {})[row.state] = row.n
    found = [_run_row(row, counts.get(row.id, {})) for row in rows]
    return [row for row in found if ended_after is None or (row.ended_at is not None and row.ended_at > ended_after)]


def entries_of(store: Store, id: str) -> list[Entry]:
    """The journal of a run, oldest first."""
    with store.reading() as c:
        rows = c.execute(sa.select(entries).where(entries.c.run_id == id).order_by(entries.c.n)).all()
    return [
        Entry(datetime.fromisoformat(r.at), r.run_id, r.operation, r.subject, r.step, r.state, r.text) for r in rows
    ]


def refresh(store: Store, run: Run, seen: float) -> float:
    """Bring a loaded run to what the database says by now; returns the newest change seen, for the next call.

    Reads a little further back: of two writers the one that began first may have ended last.
    """
    with store.reading() as c:
        flags = c.execute(sa.select(runs.c.stopping, runs.c.cancelled).where(runs.c.id == run.id)).one()
        since, t = max(seen - OVERLAP_S, 0.0), operations
        rows = c.execute(sa.select(t).where(t.c.run_id == run.id, t.c.changed > since)).all()
    run.stopping, run.cancelled = flags.stopping, flags.cancelled
    place = {o.operation.id: i for i, o in enumerate(run.operations)} if rows else {}
    for row in rows:
        at = place[row.id]
        run.operations[at] = record_of(row, run.operations[at].operation)
        seen = max(seen, row.changed)
    return seen


def record_of(row: Any, operation: Operation) -> OperationRecord:
    """An operation record from its row."""
    steps = codec.from_json(_STEPS, json.loads(row.steps), f"operation {row.id} of {row.run_id}")
    return OperationRecord(operation, list(steps), row.state, row.waits)


def columns_of(record: OperationRecord) -> dict[str, Any]:
    """What changes in an operation's row as it goes on."""
    held = holding(record)
    return {
        "state": record.state,
        "waits": record.waits,
        "holding": held is not None,
        "rate_mib_s": held.rate_mib_s if held is not None else 0.0,
        "steps": json.dumps(codec.to_json(_STEPS, tuple(record.steps)), ensure_ascii=False),
    }


def _operation_row(run: str, cloud: str, seq: int, op: Operation) -> dict[str, Any]:
    record = OperationRecord(op, [StepRecord(step) for step in op.steps])
    fixed = {"run_id": run, "id": op.id, "seq": seq, "cloud": cloud, "owner": None, "changed": 0}
    where = {"source": op.source, "target": op.target, "zone": op.zone, "role": op.role}
    where |= {"orchestrators": ",".join(orchestrators_of(op))}
    return fixed | where | columns_of(record)


def _run_row(row: Any, counts: dict[str, int]) -> RunRow:
    return RunRow(
        row.id, row.plan_id, row.job, row.cloud, datetime.fromisoformat(row.started_at),
        datetime.fromisoformat(row.ended_at) if row.ended_at else None, row.stopping, row.cancelled, row.epoch,
        row.starved_before, row.starved_after, counts,
    )  # fmt: skip
