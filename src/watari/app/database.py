"""The database that runs live in, for those who only read or decide: nothing here loads what carries runs out."""

from collections.abc import Iterator
from contextlib import contextmanager

from watari.act.durable.records import RunRow, entries_of, list_runs
from watari.act.durable.store import Store
from watari.act.journal import Entry
from watari.app.state import database_url
from watari.errors import NotFound


@contextmanager
def opened(named: str | None = None) -> Iterator[Store]:
    """The database that runs live in. Raises BadInput, Transient and Permanent that name it."""
    store = Store(database_url(named))
    try:
        yield store
    finally:
        store.close()


def find_run(store: Store, run_id: str) -> RunRow:
    """One run, by its id, or by that of its plan if there is only one run of it. Raises BadInput."""
    rows = list_runs(store)
    found = [row for row in rows if row.id == run_id] or [row for row in rows if row.plan_id == run_id]
    if len(found) == 1:
        return found[0]
    newest = f"; the newest is {rows[0].id}" if rows else "; there are none yet"
    raise NotFound(f'no run "{run_id}"{newest}, see `watari runs list`')


def journal(store: Store, run_id: str) -> list[Entry]:
    """What was written down of a run, oldest first."""
    return entries_of(store, run_id)
