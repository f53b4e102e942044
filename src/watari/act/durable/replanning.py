"""Forget what a run has not begun yet, because a newer plan takes its place."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from watari.act.durable import statements as st
from watari.act.durable.records import columns_of, record_of
from watari.act.durable.store import Store, budgets_of
from watari.act.durable.tables import operations
from watari.act.journal import Entry, OperationRecord
from watari.act.verdicts import state_of
from watari.plan.plan import Plan


def drop_waiting(store: Store, plan: Plan, run: str, cloud: str, why: str, now: datetime, executor: str) -> int:
    """Skip every operation of a run of which nothing was asked for; returns how many.

    A worker that holds one finds it taken away when it tries to begin: the intent is written by its owner, within the
    same lock as this, or not at all.
    """
    by_id, dropped = {op.id: op for op in plan.operations}, 0
    waiting = sa.select(operations).where(operations.c.run_id == run, operations.c.state == "pending")
    with store.writing(alone=budgets_of(cloud)) as c:
        for row in c.execute(waiting.with_for_update()).all():
            record = record_of(row, by_id[row.id])
            if not has_not_begun(record):
                continue
            _skip(record, why, now)
            this = (operations.c.run_id == run, operations.c.id == row.id)
            c.execute(operations.update().where(*this).values(**columns_of(record), owner=None, changed=store.now))
            c.execute(st.ENTRY, _entry(run, record, now) | {"executor": executor})
            dropped += 1
        if c.scalar(st.LEFT, {"run": run}) is None:
            c.execute(st.CLOSE, {"run": run, "at": now.isoformat()})
    return dropped


def has_not_begun(record: OperationRecord) -> bool:
    """Nothing was asked for: no server is out of its orchestrators, and no request may still be heard."""
    return record.state == "pending" and not record.begun and not any(r.asked_at for r in record.steps)


def _skip(record: OperationRecord, why: str, now: datetime) -> None:
    for r in (r for r in record.steps if r.state == "pending"):
        r.state, r.ended_at, r.note = "skipped", now, why
    record.state, record.waits = state_of(record), ""


def _entry(run: str, record: OperationRecord, now: datetime) -> dict[str, Any]:
    skipped = next(r for r in record.steps if r.state == "skipped")
    e = Entry.of(now, run, record.operation, skipped)
    return {
        "at": e.at.isoformat(), "run_id": run, "operation": e.operation, "subject": e.subject, "step": e.step,
        "state": e.state, "text": e.text,
    }  # fmt: skip
