"""One operation's saga: look first, ask, watch, and undo in reverse what a failure leaves half done.

Every executor runs this same code; where the records live and who else works is the business of its `Books`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from watari.act.guard import Wait, allot
from watari.act.handlers import Handlers
from watari.act.journal import OperationRecord, Run, State, StepRecord
from watari.act.outcomes import Arrived, Done, Failed, Progress, Ready
from watari.act.setbacks import fail, later
from watari.act.verdicts import has_to_be_undone, state_of, was_taken_out
from watari.errors import Permanent, Refused, Transient, WatariError
from watari.plan.accompany import with_memory
from watari.plan.plan import OperationId
from watari.plan.steps import MOVES, Attach, Detach, LiveMigrate
from watari.plan.text import format_duration
from watari.ports import Clock

SKEW = timedelta(seconds=60)  # the cloud's clock may be behind ours
SAME = timedelta(seconds=2)  # clouds keep whole seconds: a request of ours looks no older than that
STALL_S = 900.0  # no progress for this long: the move is stopped, the server stays where it is
DEADLINE_S = 4 * 3600.0  # longer than any move should take, whatever its progress
NOTABLE = 0.02  # a change of a move's rate by less than that share is none
PRESS_S = 5.0  # between two requests to an orchestrator to let the same server go, or to take it back
INSIST_S = 30.0  # between two requests to stop the same move
_OVER = {Detach: "empty", Attach: "back"}
STOP_S = 600.0  # a move that goes on for this long after it was asked to stop is left to a person


class Books(Protocol):
    """Where a saga asks whether it may begin, and writes down what it does before and after it does it."""

    def states(self, run: Run, ids: Iterable[OperationId]) -> Mapping[OperationId, State]:
        """The present states of operations of the same run."""
        ...

    def may_start(self, run: Run, record: OperationRecord, now: datetime) -> Wait | None:
        """A first look at the budgets, so that nobody asks the cloud just to wait afterwards."""
        ...

    def intend(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> Wait | None:
        """Judge the budgets and, if it may begin, set its rate and store the intent: both or neither.

        Budgets are held from the first step of an operation to its last: the later ones do not wait for any.
        """
        ...

    def may_go_on(self) -> str:
        """Why an operation that has begun must not take its next step; empty: it may."""
        ...

    def write(self, run: Run, record: OperationRecord, r: StepRecord) -> None:
        """Store what has become of a step. When it returns, it is kept."""
        ...

    def share(self, run: Run, record: OperationRecord, now: datetime) -> float | None:
        """How fast its move may copy now, MiB/s; more than before is granted with the answer. None: as before."""
        ...

    def progress(self, run: Run, record: OperationRecord) -> None:
        """Store how far it is and what it was granted; no step has changed."""
        ...

    def fence(self, run: Run, record: OperationRecord) -> None:
        """Immediately before an effect: end this process's part if the operation is not its any more."""
        ...


@dataclass(slots=True)
class Saga:
    """Advances operations. `stall_s` and `deadline_s` bound a move without progress, and any move."""

    handlers: Handlers
    books: Books
    clock: Clock
    stall_s: float = STALL_S
    deadline_s: float = DEADLINE_S

    def advance(self, run: Run, record: OperationRecord) -> None:
        """Bring the operation as far as it goes without waiting."""
        now = self.clock.now()
        if record.state == "undoing":
            self._undo(run, record, now)
            return
        current = next((s for s in record.steps if not s.over), None)
        if current is None:  # nothing is left to do, and yet it is not over: whoever wrote that died in between
            self._conclude(run, record, record.steps[-1], now)
            return
        if current.not_before is not None and now < current.not_before:
            return
        before = (current.state, current.note)
        try:
            self._step(run, record, current, now)
        except Transient as e:
            later(run, current, str(e), now)
        except Permanent as e:
            if isinstance(current.step, Attach):  # until its deadline: somebody may mend what is wrong
                later(run, current, str(e), now)
            else:
                fail(current, str(e), now)
        else:
            current.setbacks, current.tried_at = 0, current.tried_at if isinstance(current.step, MOVES) else None
        self._conclude(run, record, current if (current.state, current.note) != before else None, now)

    def adopt(self, run: Run, record: OperationRecord) -> None:
        """Take over what somebody asked for since the plan was made and still goes on. Raises Transient: call again."""
        now = self.clock.now()
        if isinstance(record.steps[0].step, Detach):  # its server is looked for when its move begins
            return
        for r in (r for r in record.steps if r.state == "pending" and isinstance(r.step, MOVES)):
            handler = self.handlers[type(r.step)]
            try:
                handle = handler.find(r.step, run.plan.made_at - SKEW)
                if handle is None or not isinstance(handler.poll(r.step, handle), Progress):
                    return
            except Permanent:  # a cloud that does not show it: its word counts when the step begins
                return
            r.handle, r.asked_at, r.moved_at, r.adopted = handle, now, now, True
            r.state = record.state = "running"
            self.books.write(run, record, r)

    def _step(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        match r.state:
            case "pending":
                self._begin(run, record, r, now)
            case "intended":  # the process died, or the call failed, between the intent and the handle: look first
                self._look(run, record, r, now)
            case "running":
                self._poll(run, record, r, now)
            case _:
                pass

    def _begin(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        """Check the world, then the budgets; write the intent, then ask."""
        if why := self._too_late(run, record, r, now):
            r.state, r.ended_at, r.note = "skipped", now, why
            return
        if not record.begun and not self._prerequisites(run, record, r, now):
            return
        # No call to the cloud just to wait on.
        if record.waits and isinstance(wait := self.books.may_start(run, record, now), Wait):
            record.waits = wait.why
            return
        if (verdict := self._checked(record, r)) is not None:
            skipped = isinstance(verdict, Failed)
            r.state, r.note, r.ended_at = ("skipped" if skipped else "done"), verdict.text, now
            return
        if isinstance(wait := self.books.intend(run, record, r, now), Wait):
            record.waits = wait.why
            return
        self._ask(run, record, r, now)

    def _too_late(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> str:
        if isinstance(r.step, Attach):  # whatever happened: what was taken out is put back
            return ""
        if run.cancelled:
            return "cancelled before it began"
        if record.begun:  # so it goes on, or is undone: nothing waits half-way
            return self.books.may_go_on()
        if now > run.plan.expires_at:
            return f"the plan expired at {run.plan.expires_at:%H:%M}; plan again"
        return ""

    def _checked(self, record: OperationRecord, r: StepRecord) -> Done | Failed | None:
        """What the handler says before anything is asked; None: go on. What has to be known to undo it is kept."""
        r.step = with_memory(r.step, [other.step for other in record.steps])
        if isinstance(r.step, Attach) and not was_taken_out(record, r.step):
            return Done("nobody took it out: as it was before")
        verdict = self.handlers[type(r.step)].check(r.step)
        if isinstance(verdict, Ready):
            r.step = verdict.step
            return None
        if isinstance(verdict, Done) and isinstance(r.step, Detach) and r.asked_at is not None:
            return None  # out because of an earlier request of ours, which need not be over: ask again, and wait
        return verdict

    def _prerequisites(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> bool:
        """All that it waits for is done. If one of them ended otherwise, this one is skipped."""
        wanted = record.operation.waits_for
        if not wanted:
            return True
        states = self.books.states(run, wanted)
        bad = [id for id in wanted if states.get(id, "skipped") in ("failed", "undone", "undoing", "skipped")]
        if bad:
            r.state, r.ended_at = "skipped", now
            r.note = f"operation {bad[0]}, which it waits for, is {states.get(bad[0], 'gone')}"
            return False
        left = [id for id in wanted if states[id] != "done"]
        record.waits = f"operation {', '.join(left[:5])}{' ...' if len(left) > 5 else ''}" if left else record.waits
        return not left

    def _ask(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        handler = self.handlers[type(r.step)]
        r.attempts += 1
        self.books.fence(run, record)
        try:
            r.handle = handler.start(r.step)
        except Refused:  # because of an earlier request of ours that was heard after all, or of somebody else's
            if not self._found(r, now) or isinstance(handler.poll(r.step, r.handle or ""), Failed):
                r.handle, r.adopted = None, False
                raise
        r.state, r.note, r.moved_at, r.not_before = "running", "", now, None

    def _look(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        r.unsure, r.note = True, ""
        if not self._found(r, now):  # it was never taken: whether it may start is decided anew
            r.state = record.state = "pending"
            self._begin(run, record, r, now)
        else:
            r.state, r.moved_at, r.not_before = "running", now, None

    def _found(self, r: StepRecord, now: datetime) -> bool:
        """Look for what goes on already. It is ours if a request of ours may have been heard, and it is no older."""
        handler, asked = self.handlers[type(r.step)], r.asked_at or now
        r.handle, r.adopted = handler.find(r.step, asked - SAME), not r.unsure
        if r.handle is None:
            r.handle, r.adopted = handler.find(r.step, asked - SKEW), True
        r.adopted = r.adopted and r.handle is not None and isinstance(r.step, MOVES)
        return r.handle is not None

    def _poll(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        assert r.handle is not None
        match self.handlers[type(r.step)].poll(r.step, r.handle):
            case Done(text):
                r.state, r.note, r.ended_at, r.done_mib = "done", text, now, r.total_mib
            case Arrived():
                self._arrived(run, record, r, now)
            case Failed(text, unharmed) if r.stopping:
                r.state, r.ended_at = "undone", now
                where = f"the server stays on {r.step.source}" if unharmed and isinstance(r.step, MOVES) else text
                r.note = f"{r.stopping}: stopped; {where}"
            case Failed(text):
                r.state, r.note, r.ended_at = "failed", text, now
            case Progress(text=text) if isinstance(r.step, Detach | Attach):
                self._press(run, record, r, text, now)
            case Progress(done_mib, total_mib, rate_mib_s):
                if done_mib > r.done_mib and not r.stopping:  # then it tells when the cloud was asked to stop it
                    r.moved_at = now
                r.done_mib, r.total_mib, r.rate_mib_s = done_mib, total_mib, rate_mib_s
                r.note = r.note if r.stopping or r.adopted else ""
                if why := self._why_stop(run, r, now):
                    self._stop(run, record, r, why, now)
                elif isinstance(r.step, LiveMigrate) and not r.adopted:
                    self._shape(run, record, r, r.step, now)

    def _press(self, run: Run, record: OperationRecord, r: StepRecord, text: str, now: datetime) -> None:
        """Out, or back, not yet: ask again from time to time, until the deadline."""
        assert isinstance(r.step, Detach | Attach)
        r.note = text
        if run.cancelled and isinstance(r.step, Detach):
            r.state, r.ended_at, r.note = "failed", now, f"cancelled: {text}"
        elif (now - (r.begun_at or now)).total_seconds() > r.step.deadline_s:
            r.state, r.ended_at = "failed", now
            r.note = f"not {_OVER[type(r.step)]} after {format_duration(r.step.deadline_s)}: {text}"
        elif (now - (r.moved_at or now)).total_seconds() >= PRESS_S:
            self.books.fence(run, record)
            self.handlers[type(r.step)].start(r.step)
            r.moved_at = now

    def _shape(self, run: Run, record: OperationRecord, r: StepRecord, step: LiveMigrate, now: datetime) -> None:
        """Keep its rate to what the links have for it now; let it end when its style says so."""
        assert r.handle is not None
        handler: Any = self.handlers[LiveMigrate]
        if (granted := step.bandwidth_mib_s) is not None and handler.can_limit:
            rate = self.books.share(run, record, now) or granted
            if abs(rate - granted) > NOTABLE * granted and handler.limit(step, r.handle, rate):
                allot(record, rate)
                self.books.progress(run, record)
        after_s, copying = handler.style.post_copy_after_s, r.total_mib > 0
        late = after_s is not None and copying and (now - (r.begun_at or now)).total_seconds() > after_s
        if late and not r.hastened and (r.tried_at is None or (now - r.tried_at).total_seconds() >= INSIST_S):
            self.books.fence(run, record)
            try:
                handler.hasten(step, r.handle)
                r.hastened = True
            except Refused as e:  # not yet, or not this one: it goes on as it is meanwhile
                r.note, r.tried_at = str(e), now

    def _arrived(self, run: Run, record: OperationRecord, r: StepRecord, now: datetime) -> None:
        """Say that it may stay, or send it back if it was to be stopped. What others asked for is theirs to answer."""
        assert r.handle is not None
        handler = self.handlers[type(r.step)]
        if r.adopted:
            r.state, r.ended_at = "skipped", now
            r.note = "somebody else moved it there, and has to confirm that"
            return
        if not r.stopping and run.cancelled:
            r.stopping, r.stop_at = "cancelled", now
        intent = f"{r.stopping}: being sent back" if r.stopping else "arrived: being confirmed"
        if r.note != intent:  # written down first; the next look, which finds it so, acts
            r.note = intent
            return
        self.books.fence(run, record)
        (handler.undo if r.stopping else handler.confirm)(r.step, r.handle)

    def _why_stop(self, run: Run, r: StepRecord, now: datetime) -> str:
        """Why a move under way has to end; empty: let it go on."""
        if not isinstance(r.step, MOVES):
            return ""
        if r.stopping:
            return r.stopping
        if run.cancelled:
            return "cancelled"
        live = isinstance(r.step, LiveMigrate)  # of a cold one clouds tell no progress
        if live and r.moved_at is not None and (now - r.moved_at).total_seconds() > self.stall_s:
            return f"no progress for {format_duration(self.stall_s)}"
        if r.begun_at is not None and (now - r.begun_at).total_seconds() > self.deadline_s:
            return f"not over after {format_duration(self.deadline_s)}"
        return ""

    def _stop(self, run: Run, record: OperationRecord, r: StepRecord, why: str, now: datetime) -> None:
        """Stop a move, unless somebody else asked for it; then look where the server is."""
        assert r.handle is not None
        if r.adopted:
            if run.cancelled:
                r.state, r.ended_at, r.note = "skipped", now, "cancelled; not ours to stop: it goes on"
            else:
                r.note = f"{why}; not ours to stop"
            return
        if r.stopping and r.stop_at is not None:
            given_up = isinstance(r.step, LiveMigrate)  # a cold copy cannot be stopped: it is sent back when it arrives
            if given_up and (now - r.stop_at).total_seconds() > STOP_S:
                r.state, r.ended_at = "failed", now
                r.note = f"{why}; asked to stop, and still going on as {r.handle}: look at it in the cloud"
                return
            if (now - (r.moved_at or now)).total_seconds() < INSIST_S:
                return
        first = not r.stopping
        r.stopping, r.note, r.stop_at, r.moved_at = why, f"{why}: being stopped", r.stop_at or now, now
        self.books.write(run, record, r)
        self.books.fence(run, record)
        self.handlers[type(r.step)].undo(r.step, r.handle)
        if first:
            self._poll(run, record, r, now)

    def give_up(self, run: Run, record: OperationRecord, why: str) -> None:
        """End an operation that cannot go on, and take back what it left behind: servers go back into service."""
        now = self.clock.now()
        r = record.current
        fail(r, why, now)
        self._conclude(run, record, r, now)

    def _conclude(self, run: Run, record: OperationRecord, changed: StepRecord | None, now: datetime) -> None:
        """Draw the conclusion for the whole, write both down; a failed saga undoes what came before, in reverse."""
        record.state = state_of(record)
        record.waits = "" if record.over else record.waits
        to_undo: list[StepRecord] = []
        if record.state in ("failed", "undone", "skipped"):
            for waiting in (s for s in record.steps if s.state == "pending"):
                waiting.state, waiting.ended_at = "skipped", now
            to_undo = [s for s in record.steps if has_to_be_undone(record, s)]
            for earlier in to_undo:
                earlier.state, earlier.not_before, earlier.setbacks = "undoing", None, 0
                record.state = "undoing"
        for r in ([] if changed is None else [changed]) + to_undo:
            self.books.write(run, record, r)
        if to_undo:
            self._undo(run, record, now)

    def _undo(self, run: Run, record: OperationRecord, now: datetime) -> None:
        """Undo from the last step to the first; what the cloud cannot answer now is tried again later."""
        for r in reversed([s for s in record.steps if s.state == "undoing"]):
            if r.not_before is not None and now < r.not_before:
                return
            try:
                self.books.fence(run, record)
                self._taken_back(r)
                r.state, r.ended_at = "undone", now
            except Transient as e:
                later(run, r, str(e), now)
            except Permanent as e:
                if isinstance(r.step, Detach):  # until its deadline: somebody may mend what is wrong
                    later(run, r, str(e), now)
                else:
                    r.state, r.ended_at, r.note = "failed", now, f"could not be undone: {e}"
            if not any(s.state == "undoing" for s in record.steps):
                record.state = state_of(record)
            self.books.write(run, record, r)
            if r.state == "undoing":
                return

    def _taken_back(self, r: StepRecord) -> None:
        """A bug in a handler is one more reason why a server is not back: it is told, and tried until the deadline."""
        try:
            self.handlers[type(r.step)].undo(r.step, r.handle or "")
        except WatariError:
            raise
        except Exception as e:
            raise Permanent(f"{type(e).__name__}: {e}; this is a bug") from e
