"""What has changed in the database since the last look, for those who listen: a few queries, however many they are."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from watari.act.durable.proposals import OPEN, list_proposals
from watari.act.durable.records import RunRow, list_runs, load_run, refresh
from watari.act.durable.store import Store
from watari.act.durable.tables import entries
from watari.act.journal import Run
from watari.app.serving.status import statuses
from watari.web.api import models as m
from watari.web.api import views
from watari.web.api.desk import Change

RECENT: Final = 30  # plans and runs that are looked at for changes, newest first; older ones do not change
MOST_LINES: Final = 1000  # of the journal in one look; the rest comes with the next
LATE_LINES: Final = 200  # journal numbers that may still appear behind the newest: of two writers one ends later


@dataclass(slots=True)
class Watcher:
    """Remembers what was told last. `look` is called by one thread; the first time it tells nothing."""

    store: Store
    now: Callable[[], datetime]
    _told: dict[Hashable, m.Answer] = field(default_factory=dict)
    _runs: dict[str, tuple[Run, float]] = field(default_factory=dict)  # that go on, with the newest change seen
    _line: int | None = None  # the newest line of the journal that was told
    _lines: set[int] = field(default_factory=set)  # those told near it

    def look(self) -> list[Change]:
        """The changes, oldest first within a kind."""
        first = self._line is None
        current = [*self._states(), *self._operations()]
        line, told, new = self._journal()
        changed = [change for key, change in current if self._told.get(key) != change.body]
        # Only now, when nothing can go wrong any more: what the database did not tell is a change at the next look.
        self._told, self._line, self._lines = {key: change.body for key, change in current}, line, told
        return [] if first else [*changed, *new]

    def _states(self) -> list[tuple[Hashable, Change]]:
        now, out = self.now(), list[tuple[Hashable, Change]]()
        for status in statuses(self.store):
            shown = views.cloud(status).model_copy(update={"looked_s": None})  # else it changed every second
            out.append((("cloud", shown.name), Change("cloud", shown, shown.name)))
        recent = {one.id: one for one in list_proposals(self.store, limit=RECENT)}
        recent |= {one.id: one for one in list_proposals(self.store, states=OPEN)}
        for one in reversed(recent.values()):
            plan = views.plan(one, now)
            out.append((("plan", plan.id), Change("plan", plan, plan.cloud)))
        return out

    def _operations(self) -> list[tuple[Hashable, Change]]:
        """Runs, and the operations of those that go on or have just ended."""
        recent = list_runs(self.store, limit=RECENT)
        known = {row.id for row in recent}
        open_ = [row for row in list_runs(self.store, only_open=True) if row.id not in known]
        rows = {row.id: row for row in (*reversed(recent), *open_)}
        out: list[tuple[Hashable, Change]] = []
        for row in rows.values():
            shown = views.run(row)
            out.append((("run", row.id), Change("run", shown, row.cloud, row.id)))
        going_on = {id for id, row in rows.items() if row.ended_at is None}
        for id in [*going_on, *(id for id in self._runs if id not in going_on and id in rows)]:
            out += self._of_run(rows[id])
        self._runs = {id: run for id, run in self._runs.items() if id in going_on}
        return out

    def _of_run(self, row: RunRow) -> Iterable[tuple[Hashable, Change]]:
        run, seen = self._runs.get(row.id) or (load_run(self.store, row.id), 0.0)
        self._runs[row.id] = run, refresh(self.store, run, seen)
        for record in run.operations:
            shown = views.operation(record, row.id, row.cloud)
            yield ("operation", row.id, shown.id), Change("operation", shown, row.cloud, row.id)

    def _journal(self) -> tuple[int, set[int], list[Change]]:
        """The newest line, those near it that were told, and the new ones."""
        if self._line is None:
            with self.store.reading() as c:
                newest = c.scalar(sa.select(sa.func.max(entries.c.n))) or 0
                return newest, set(c.scalars(sa.select(entries.c.n).where(entries.c.n > newest - LATE_LINES))), []
        found = journal_lines(self.store, after=self._line - LATE_LINES, limit=MOST_LINES)
        new = [line for line in found if line.n not in self._lines]
        newest = max((line.n for line in new), default=self._line)
        clouds = {row.id: row.cloud for row in list_runs(self.store, ids={line.run for line in new})} if new else {}
        told = {n for n in {*self._lines, *(line.n for line in new)} if n > newest - LATE_LINES}
        return newest, told, [Change("journal", line, clouds.get(line.run, ""), line.run) for line in new]


def journal_lines(store: Store, *, after: int, limit: int, run: str | None = None) -> list[m.JournalLine]:
    """Lines of the journal (of one run) with a larger number than `after`, oldest first."""
    wanted = sa.select(entries).where(entries.c.n > after).order_by(entries.c.n).limit(limit)
    if run is not None:
        wanted = wanted.where(entries.c.run_id == run)
    with store.reading() as c:
        return [
            m.JournalLine(
                n=r.n, at=datetime.fromisoformat(r.at), run=r.run_id, operation=r.operation, subject=r.subject,
                step=r.step, state=r.state, text=r.text,
            )
            for r in c.execute(wanted)
        ]  # fmt: skip
