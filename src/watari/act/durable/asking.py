"""What people ask of a run that others carry out: to stop, to be given up, to go on. Whoever works on it obeys."""

import sqlalchemy as sa

from watari.act.durable.records import list_runs
from watari.act.durable.store import Store
from watari.act.durable.tables import runs
from watari.errors import BadInput, NotFound


def ask_to_stop(store: Store, run_id: str) -> None:
    """What is under way is finished, nothing more begins. Raises BadInput for a run that is over, or is given up."""
    _ask(store, run_id, runs.c.cancelled.is_(False), stopping=True)


def ask_to_cancel(store: Store, run_id: str) -> None:
    """What is under way is stopped, what has not begun is skipped. Raises BadInput for a run that is over."""
    _ask(store, run_id, sa.true(), cancelled=True)


def ask_to_go_on(store: Store, run_id: str) -> None:
    """Begin again what has not begun; a run that goes on already does so. Raises BadInput for one that is over."""
    _ask(store, run_id, runs.c.cancelled.is_(False), stopping=False, epoch=runs.c.epoch + 1)


def reopen(store: Store, run_id: str) -> None:
    """A run goes on, given up or not: it is not being stopped any more. Raises NotFound."""
    again = runs.update().where(runs.c.id == run_id).values(epoch=runs.c.epoch + 1, stopping=False)
    with store.writing() as c:
        if not c.execute(again).rowcount:
            raise _unknown(run_id)


def _ask(store: Store, run_id: str, only: "sa.ColumnElement[bool]", **change: object) -> None:
    t = runs.c
    with store.writing() as c:
        if c.execute(runs.update().where(t.id == run_id, t.ended_at.is_(None), only).values(change)).rowcount:
            return
    if (row := next(iter(list_runs(store, ids=[run_id])), None)) is None:
        raise _unknown(run_id)
    raise BadInput(f"{run_id} is {'being given up' if row.ended_at is None else f'over ({row.state})'}")


def _unknown(run_id: str) -> NotFound:
    return NotFound(f'no run "{run_id}"; see `watari runs list`')
