"""The virtual-time executor: single thread, deterministic; the simulator, scenarios and replays run on it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from watari.act.guard import Guard, UnderWay, Wait, allot, holding
from watari.act.handlers import Handlers
from watari.act.journal import Entry, Journal, OperationRecord, Run, State, StepRecord
from watari.act.saga import Saga
from watari.plan.plan import OperationId, Plan
from watari.ports import Clock


@dataclass(slots=True)
class VirtualExecutor:
    """Carries out runs, one `tick` at a time; each tick advances every operation as far as it goes without waiting.

    `others` are moves that somebody else started; they hold budgets too. The executor is its sagas' Books: records
    live in memory, and `journal` is told of every change.
    """

    handlers: Handlers
    guard: Guard
    clock: Clock
    journal: Journal
    others: Callable[[], list[UnderWay]] = list
    runs: list[Run] = field(default_factory=list)
    _busy: list[UnderWay] | None = None  # what holds budgets, until something starts

    def submit(self, plan: Plan) -> Run:
        """Accept a plan. An expired one is refused by the caller (app), not here."""
        run = Run.of(plan, self.clock.now())
        self.runs.append(run)
        return run

    def tick(self) -> None:
        """Advance what is under way first, then start what the guard lets start, in the plan's order."""
        live, self._busy, saga = [run for run in self.runs if not run.over], None, self._saga()
        for run in live:
            for record in run.operations:
                if record.under_way:
                    saga.advance(run, record)
        self._busy = None
        for run in live:
            for record in run.operations:
                if record.state == "pending" and not run.stopping:
                    saga.advance(run, record)
        self.runs = [run for run in self.runs if not run.over]

    def adopt(self, run: Run) -> None:
        """Take over what an earlier process asked for and still goes on, before anything new is judged by the budgets.

        Looks for moves since the plan was made. Raises Transient when the cloud does not answer: call again.
        """
        saga = self._saga()
        for record in run.operations:
            saga.adopt(run, record)

    def drop_waiting(self) -> None:
        """Forget what never started, and the refusals: the next plan decides anew, on fresher data.

        A loop that runs for months keeps only what it did.
        """
        for run in self.runs:
            started = [o for o in run.operations if o.state != "pending" or any(r.asked_at for r in o.steps)]
            if len(started) < len(run.operations) or run.plan.refusals:
                run.operations = started
                run.plan = replace(run.plan, operations=tuple(o.operation for o in started), refusals=())
        self.runs = [run for run in self.runs if not run.over]

    def under_way(self) -> Iterator[UnderWay]:
        """Operations that hold budgets now."""
        return (held for _, held in self._everybody())

    def _everybody(self) -> Iterator[tuple[OperationRecord, UnderWay]]:
        for run in self.runs:
            for record in run.operations:
                if (held := holding(record)) is not None:
                    yield record, held

    def states(self, run: Run, ids: Iterable[OperationId]) -> Mapping[OperationId, State]:
        return run.states()

    def may_start(self, run: Run, record: OperationRecord, now: datetime) -> Wait | None:
        verdict = self.guard.may_start(record.operation, self._holders(), now)
        return verdict if isinstance(verdict, Wait) else None

    def intend(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> Wait | None:
        if not record.begun:
            verdict = self.guard.may_start(record.operation, self._holders(), now)
            if isinstance(verdict, Wait):
                return verdict
            allot(record, verdict.rate_mib_s)
        # A first request may still surface: it is looked for from the first time on.
        record.waits, r.state, record.state = "", "intended", "intended"
        r.asked_at, r.begun_at = r.asked_at or now, now
        self._busy = None
        self.write(run, record, r)
        return None

    def may_go_on(self) -> str:
        return self.guard.may_go_on()

    def write(self, run: Run, record: OperationRecord, r: StepRecord) -> None:
        self.journal(Entry.of(self.clock.now(), run.id, record.operation, r))
        if record.leaves_out:
            run.stopping = True  # whatever keeps one from coming back may keep the next one, too: no more are taken out

    def share(self, run: Run, record: OperationRecord, now: datetime) -> float | None:
        held = holding(record)
        if held is None:
            return None
        others = [one for one in self._everybody() if one[0] is not record]
        moves = [*(under_way for _, under_way in others), *self.others()]
        return self.guard.share(record.operation, held.rate_mib_s, moves, now)

    def progress(self, run: Run, record: OperationRecord) -> None:
        """Nobody looks on but through the records themselves."""

    def fence(self, run: Run, record: OperationRecord) -> None:
        """Alone in its process, nobody takes its operations away."""

    def _holders(self) -> list[UnderWay]:
        if self._busy is None:
            self._busy = [*self.under_way(), *self.others()]
        return self._busy

    def _saga(self) -> Saga:
        budgets = self.guard.policy.budgets
        return Saga(self.handlers, self, self.clock, budgets.stalled_after_s, budgets.deadline_s)
