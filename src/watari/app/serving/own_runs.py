"""The runs of one cloud as its controller needs them: what goes on, and what of it has not begun."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from watari.act.durable.leading import Place
from watari.act.durable.records import RunRow, list_runs, load_run, refresh
from watari.act.durable.replanning import drop_waiting, has_not_begun
from watari.act.journal import OperationRecord, Run
from watari.app.serving.standing import Standing
from watari.ports import Clock

RECENT: Final = 60  # runs that are looked through for those that were over a short while ago
Moves = set[tuple[str, str]]  # servers and their targets


@dataclass(slots=True)
class OwnRuns:
    """Runs that go on, whoever began them, and those that were over at most `past_s` ago. `read` before the rest."""

    place: Place
    standing: Standing
    clock: Clock
    rows: list[RunRow] = field(default_factory=list)
    _runs: dict[str, tuple[Run, float]] = field(default_factory=dict)  # with the newest change seen

    def read(self, past_s: float) -> list[OperationRecord]:
        """All operations of those runs."""
        store, cloud = self.place.store, self.place.cloud
        since = self.clock.now() - timedelta(seconds=past_s)
        self.rows = list_runs(store, cloud=cloud, only_open=True)
        ended = [row for row in list_runs(store, cloud=cloud, limit=RECENT) if row.ended_at and row.ended_at > since]
        self._runs = {row.id: self._loaded(row) for row in (*self.rows, *ended)}
        return self.records

    @property
    def records(self) -> list[OperationRecord]:
        return [o for run, _ in self._runs.values() for o in run.operations]

    def going_on(self) -> RunRow | None:
        """A run that somebody works on, or will without being asked; the newest."""
        return next((row for row in self.rows if row.goes_on), None)

    def of_people(self) -> RunRow | None:
        """A run that goes on, that the policy did not begin by itself, and that has not begun everything yet."""
        modes = self.standing.modes([row.id for row in self.rows])
        mine = (row for row in self.rows if row.goes_on and modes.get(row.id) != "automatic")
        return next((row for row in mine if row.counts.get("pending")), None)

    def waiting(self, policy_digest: str) -> tuple[str, Moves]:
        """The newest automatic run under this policy that has not begun something and still may, and what that is."""
        now = self.clock.now()
        for run in self._automatic():
            moves: Moves = {(o.operation.subject, o.operation.target) for o in run.operations if has_not_begun(o)}
            lasts = not run.stopping and now <= run.plan.expires_at and run.plan.policy_digest == policy_digest
            if moves and lasts:
                return run.id, moves
        return "", set()

    def let_go(self, why: str) -> None:
        """Forget what has not begun of automatic runs: what is needed is planned anew, on fresher data."""
        executor, now = self.place.lease.executor, self.clock.now()
        for run in self._automatic():
            if any(map(has_not_begun, run.operations)):
                drop_waiting(self.place.store, run.plan, run.id, self.place.cloud, why, now, executor)

    def _automatic(self) -> list[Run]:
        """Runs that go on and that nobody approved but the policy, newest first."""
        modes = self.standing.modes([row.id for row in self.rows])
        return [self._runs[row.id][0] for row in self.rows if modes.get(row.id) == "automatic"]

    def _loaded(self, row: RunRow) -> tuple[Run, float]:
        run, seen = self._runs.get(row.id) or (load_run(self.place.store, row.id), 0.0)
        return run, refresh(self.place.store, run, seen) if not run.finished else seen
