"""What moves brought, kept beside their runs: once before they are made, and once after they are measured."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from watari.act.durable.store import Store
from watari.act.durable.tables import benefits, entries, operations, runs
from watari.act.journal import Entry
from watari.jobs.balance.benefit import Before, Benefit
from watari.plan import codec
from watari.plan.plan import Operation, OperationId

NOT_YET = ""  # `measured_at` of a row that holds only what was seen before the move


def keep_before(
    store: Store, run_id: str, cloud: str, moves: Iterable[Operation], befores: Mapping[OperationId, Before]
) -> None:
    """Keep what was seen before the moves. What is kept already stays: a run that goes on has moved some servers."""
    rows = [
        _row(run_id, cloud, op, {"before": codec.to_json(Before, befores[op.id])}) for op in moves if op.id in befores
    ]
    if rows:
        with store.writing() as c:
            c.execute(_insert(store).on_conflict_do_nothing(), rows)  # row by row: one statement has few parameters


def before_of(store: Store, run_id: str) -> dict[OperationId, Before]:
    """What is kept of moves that are not measured yet."""
    with store.reading() as c:
        wanted = sa.select(benefits.c.operation, benefits.c.body)
        rows = c.execute(wanted.where(benefits.c.run_id == run_id, benefits.c.measured_at == NOT_YET)).all()
    where = f"what was measured before {run_id}"
    return {OperationId(r.operation): codec.from_json(Before, json.loads(r.body)["before"], where) for r in rows}


def save(store: Store, run_id: str, cloud: str, operation: Operation, benefit: Benefit, entry: Entry) -> bool:
    """Book a benefit and its line of the journal, together. False: somebody has booked it already."""
    body = {"benefit": codec.to_json(Benefit, benefit)}
    row = _row(run_id, cloud, operation, body) | {
        "moved_at": _utc(benefit.moved_at), "measured_at": _utc(benefit.measured_at)
    }  # fmt: skip
    t = benefits
    open_ = (t.c.run_id == run_id, t.c.operation == operation.id, t.c.measured_at == NOT_YET)
    with store.writing() as c:
        booked = c.execute(t.update().where(*open_).values(row)).rowcount == 1
        if not booked:  # nothing was kept before the move, or it is booked; psycopg counts no rows of an INSERT
            added = _insert(store).values(row).on_conflict_do_nothing().returning(t.c.operation)
            booked = c.execute(added).first() is not None
        if not booked:
            return False
        line = {"at": entry.at.isoformat(), "run_id": run_id, "operation": entry.operation, "subject": entry.subject}
        line |= {"step": entry.step, "state": entry.state, "text": entry.text, "executor": ""}
        c.execute(entries.insert().values(line))
    return True


def of_run(store: Store, run_id: str) -> list[Benefit]:
    """What was measured of a run, in the order in which its moves ended."""
    return _read(store, benefits.c.run_id == run_id)


def recent(store: Store, cloud: str, since: datetime) -> list[Benefit]:
    """What was measured of moves on a cloud that ended after `since`."""
    return _read(store, benefits.c.cloud == cloud, benefits.c.moved_at >= _utc(since))


def runs_to_measure(store: Store, job: str, since: datetime) -> list[tuple[str, str]]:
    """Runs of a job, not over before `since`, with moves that are not measured: their ids and clouds, oldest first."""
    o, b, r = operations, benefits, runs
    measured = sa.select(b.c.run_id).where(
        b.c.run_id == o.c.run_id, b.c.operation == o.c.id, b.c.measured_at != NOT_YET
    )
    left = sa.select(o.c.run_id).where(o.c.run_id == r.c.id, o.c.state == "done", o.c.target != "", ~measured.exists())
    wanted = sa.select(r.c.id, r.c.cloud, r.c.ended_at).where(r.c.job == job, left.exists())
    with store.reading() as c:
        rows = c.execute(wanted.order_by(r.c.started_at)).all()
    return [(row.id, row.cloud) for row in rows if not row.ended_at or datetime.fromisoformat(row.ended_at) >= since]


def set_starved_after(store: Store, run_id: str, starved: int | None) -> None:
    """Note how many servers starved once a run was measured; the first measurement counts."""
    if starved is not None:
        this = (runs.c.id == run_id, runs.c.starved_after.is_(None))
        with store.writing() as c:
            c.execute(runs.update().where(*this).values(starved_after=starved))


def starved_after(store: Store, run_id: str) -> int | None:
    """How many servers starved once the run was measured; None while it is not."""
    with store.reading() as c:
        found: int | None = c.scalar(sa.select(runs.c.starved_after).where(runs.c.id == run_id))
    return found


def _read(store: Store, *wanted: "sa.ColumnElement[bool]") -> list[Benefit]:
    t = benefits
    with store.reading() as c:
        rows = c.execute(
            sa.select(t.c.run_id, t.c.body).where(t.c.measured_at != NOT_YET, *wanted).order_by(t.c.moved_at)
        ).all()
    return [codec.from_json(Benefit, json.loads(r.body)["benefit"], f"the benefits of {r.run_id}") for r in rows]


def _row(run_id: str, cloud: str, op: Operation, body: dict[str, object]) -> dict[str, object]:
    row: dict[str, object] = {"run_id": run_id, "operation": op.id, "cloud": cloud, "server": op.subject}
    row |= {"source": op.source, "target": op.target, "moved_at": NOT_YET, "measured_at": NOT_YET}
    return row | {"body": json.dumps(body, ensure_ascii=False)}


def _insert(store: Store) -> "postgresql.Insert | sqlite.Insert":
    return postgresql.insert(benefits) if store.is_postgres else sqlite.insert(benefits)


def _utc(at: datetime) -> str:
    """Texts of one zone compare as times do."""
    return at.astimezone(UTC).isoformat()
