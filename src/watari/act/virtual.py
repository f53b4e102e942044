"""The virtual-time executor: single thread, deterministic; the simulator, scenarios and replays run on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watari.act.guard import Go, Guard, UnderWay, Wait
from watari.act.handlers import Done, Failed, Handler, Progress
from watari.act.journal import Entry, Journal, OperationRecord, Run, State, StepRecord
from watari.errors import Permanent, Transient
from watari.plan.plan import Plan
from watari.plan.steps import VERBS, Step
from watari.ports import Clock

BACKOFF_S = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0)  # then an operation gives up
SKEW = timedelta(seconds=60)  # the cloud's clock may be behind ours
STALL_S = 900.0  # no progress for this long: the move is stopped, the server stays where it is


@dataclass(slots=True)
class VirtualExecutor:
    """Carries out runs, one `tick` at a time; each tick advances every operation as far as it goes without waiting.

    `others` are moves that somebody else started; they hold budgets too.
    """

    handlers: dict[type[Step], Handler[Step]]
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
        live, self._busy = [run for run in self.runs if not run.over], None
        for run in live:
            for record in run.operations:
                if record.under_way:
                    self._advance(run, record)
        self._busy = None
        for run in live:
            for record in run.operations:
                if record.state == "pending" and not run.stopping:
                    self._advance(run, record)
        self.runs = [run for run in self.runs if not run.over]

    def adopt(self, run: Run) -> None:
        """Take over what an earlier process asked for and still goes on, before anything new is judged by the budgets.

        Looks for moves since the plan was made. Raises Transient when the cloud does not answer: call again.
        """
        now = self.clock.now()
        for record in run.operations:
            for r in (r for r in record.steps if r.state == "pending"):
                handler = self.handlers[type(r.step)]
                handle = handler.find(r.step, run.plan.made_at)
                if handle is None or not isinstance(handler.poll(r.step, handle), Progress):
                    break
                r.handle, r.asked_at, r.moved_at, r.adopted = handle, now, now, True
                r.state = record.state = "running"
                self._write(run, record, r)

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
        """Moves that hold budgets now."""
        for run in self.runs:
            for record in run.operations:
                if record.under_way:
                    step, op = record.steps[0].step, record.operation
                    yield UnderWay(step.source, step.target, op.zone, op.role, step.bandwidth_mib_s or 0.0)

    def _advance(self, run: Run, record: OperationRecord) -> None:
        """Do the first step that is not over; undo in reverse when one failed."""
        current = next((s for s in record.steps if not s.over), None)
        now = self.clock.now()
        if current is None:  # the process died after the last step's entry and before it drew the conclusion
            self._conclude(run, record, now)
            return
        before = (current.state, current.note)
        if current.not_before is not None and now < current.not_before:
            return
        try:
            self._step(run, record, current, now)
        except Transient as e:
            self._later(current, str(e), now)
        except Permanent as e:
            current.state, current.note, current.ended_at = "failed", str(e), now
        else:
            current.setbacks = 0
        if (current.state, current.note) != before:
            self._write(run, record, current)
        self._conclude(run, record, now)

    def _step(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        handler = self.handlers[type(r.step)]
        match r.state:
            case "pending":
                self._begin(run, record, r, now)
            case "intended":  # the process died, or the call failed, between the intent and the handle: look first
                r.handle, r.note = handler.find(r.step, (r.asked_at or now) - SKEW), ""
                if r.handle is None:  # it was never taken: whether it may start is decided anew
                    r.state = record.state = "pending"
                    self._begin(run, record, r, now)
                else:
                    r.state, r.moved_at, r.not_before = "running", now, None
            case "running":
                self._poll(handler, r, now)
            case _:
                pass

    def _begin(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        """Check the world, then the budgets; write the intent, then ask."""
        handler = self.handlers[type(r.step)]
        if now > run.plan.expires_at:
            r.state, r.ended_at = "skipped", now
            r.note = f"the plan expired at {run.plan.expires_at:%H:%M}; plan again"
            return
        # No call to the cloud just to wait on.
        if record.waits and isinstance(go := self._may_start(record, now), Wait):
            record.waits = go.why
            return
        if (verdict := handler.check(r.step)) is not None:
            skipped = isinstance(verdict, Failed)
            r.state, r.note, r.ended_at = ("skipped" if skipped else "done"), verdict.text, now
            return
        go = self._may_start(record, now)
        if isinstance(go, Wait):
            record.waits = go.why
            return
        record.waits, r.step = "", replace(r.step, bandwidth_mib_s=go.rate_mib_s)
        # A first request may still surface: it is looked for from the first time on.
        r.state, r.asked_at, record.state = "intended", r.asked_at or now, "intended"
        self._busy = None
        self._write(run, record, r)
        self._ask(handler, r, now)

    def _may_start(self, record: OperationRecord, now: datetime) -> Go | Wait:
        if self._busy is None:
            self._busy = [*self.under_way(), *self.others()]
        return self.guard.may_start(record.operation, self._busy, now)

    def _ask(self, handler: Handler[Step], r: StepRecord, now: datetime) -> None:
        r.attempts += 1
        r.handle = handler.start(r.step)
        r.state, r.note, r.moved_at, r.not_before = "running", "", now, None

    def _poll(self, handler: Handler[Step], r: StepRecord, now: datetime) -> None:
        assert r.handle is not None
        match handler.poll(r.step, r.handle):
            case Done(text):
                r.state, r.note, r.ended_at, r.done_mib = "done", text, now, r.total_mib
            case Failed(text):
                r.state, r.note, r.ended_at = "failed", text, now
            case Progress(done_mib, total_mib, rate_mib_s):
                if done_mib > r.done_mib:
                    r.moved_at = now
                r.done_mib, r.total_mib, r.rate_mib_s, r.note = done_mib, total_mib, rate_mib_s, ""
                if r.moved_at is not None and (now - r.moved_at).total_seconds() > STALL_S:
                    self._stop(handler, r, now)

    def _stop(self, handler: Handler[Step], r: StepRecord, now: datetime) -> None:
        """Stop a move without progress, unless somebody else asked for it; then look where the server is."""
        assert r.handle is not None
        if r.adopted:
            r.note = f"no progress for {STALL_S / 60:.0f} min; not ours to stop"
            return
        handler.undo(r.step, r.handle)
        if isinstance(verdict := handler.check(r.step), Done):
            r.state, r.note, r.ended_at = "done", verdict.text, now
            return
        r.state, r.ended_at = "undone", now
        r.note = f"no progress for {STALL_S / 60:.0f} min: stopped; the server stays on {r.step.source}"

    def _later(self, r: StepRecord, why: str, now: datetime) -> None:
        """Nothing changed, or nobody knows: ask again later, less and less often.

        Given up is only what was certainly not begun. A move under way is watched for as long as it takes.
        """
        r.setbacks += 1
        wait = BACKOFF_S[min(r.setbacks, len(BACKOFF_S)) - 1]
        r.not_before, r.note = now + timedelta(seconds=wait), why
        if r.setbacks > len(BACKOFF_S) and r.state in ("pending", "intended"):
            r.state, r.ended_at = ("skipped" if r.asked_at is None else "failed"), now
            r.note = f"gave up after {r.setbacks} tries: {why}"
            if r.asked_at is not None:
                r.note += "; look whether the cloud moves it all the same"

    def _conclude(self, run: Run, record: OperationRecord, now: datetime) -> None:
        """The state of the whole follows from its steps; a failed saga undoes what came before, in reverse."""
        states: list[State] = [s.state for s in record.steps]
        bad = next((s for s in states if s in ("failed", "undone", "skipped")), None)
        if bad is None:
            if all(s == "done" for s in states):
                record.state = "done"
            elif any(s != "pending" for s in states):
                record.state = "running"
            return
        for earlier in reversed([s for s in record.steps if s.state == "done" and s.handle]):
            assert earlier.handle is not None
            self.handlers[type(earlier.step)].undo(earlier.step, earlier.handle)
            earlier.state = "undone"
            self._write(run, record, earlier)
        for waiting in (s for s in record.steps if s.state == "pending"):
            waiting.state, waiting.ended_at = "skipped", now
        record.state = bad

    def _write(self, run: Run, record: OperationRecord, r: StepRecord) -> None:
        op = record.operation
        text = r.note or (f"as {r.handle}" if r.state == "running" and r.handle else "")
        target = f"{VERBS[type(r.step)]} {r.step.source} -> {r.step.target}"
        self.journal(Entry(self.clock.now(), run.id, op.id, op.name, target, r.state, text))
