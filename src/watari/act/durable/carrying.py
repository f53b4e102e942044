"""Carry one operation out to its end, whatever interrupts it: what runs inside every workflow."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import trace
from structlog.contextvars import bound_contextvars

from watari.act.durable.books import Books, Unwritable
from watari.act.durable.lease import Lost
from watari.act.durable.records import columns_of
from watari.act.durable.turns import Turns
from watari.act.journal import OperationRecord, Run
from watari.act.saga import Saga
from watari.errors import Permanent, Transient
from watari.plan.plan import OperationId

log = logging.getLogger(__name__)
TRACER: Final = trace.get_tracer("watari")
POLL_S = 2.0  # between two looks at a move under way: a call or two each
WAIT_S = 5.0  # between two tries of what waits for a budget of which nobody tells (hours, other workers)
PROGRESS_S = 3.0  # between two writes of how far a move is
AWAY_S = 10.0  # between two tries to open a cloud
UNKNOWN_S = 60.0  # a cloud that this worker does not know: then another one may have its turn
LEFT = "left"
Place = tuple[str, str]  # run and operation


@dataclass(slots=True)
class Context:
    """What the operations of one run share in one process. `run` holds the plan and the flags, no records."""

    run: Run
    saga: Saga
    books: Books


@dataclass(slots=True)
class Carrier:
    """Carries operations out in threads. `open_run` gives a run's context; it may raise Transient and Permanent."""

    open_run: Callable[[str], Context]
    turns: Turns = field(default_factory=Turns)
    poll_s: float = POLL_S
    wait_s: float = WAIT_S
    at_once: int = 64  # places of this worker for operations that wait
    only: set[str] | None = None  # runs to work on; None: all
    leaving: threading.Event = field(default_factory=threading.Event)  # begin nothing, give back what has not begun
    ended: threading.Event = field(default_factory=threading.Event)  # leave alone what is under way, too
    trouble: str = ""  # why nothing can be carried out here any more
    _rests: dict[str, float] = field(default_factory=dict)
    _at_work: set[Place] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, run_id: str, operation: str) -> str:
        """Bring an operation to its end and say how it ended; "left" if it was given back or is somebody else's."""
        key = (run_id, operation)
        if self.leaving.is_set():  # not at once: the queue would hand it to this worker again and again
            self.ended.wait(AWAY_S)
            return LEFT
        resting = self.resting()
        with self._lock:
            if key in self._at_work or run_id in resting or (self.only is not None and run_id not in self.only):
                return LEFT
            self._at_work.add(key)
        try:
            with bound_contextvars(run=run_id, operation=operation), TRACER.start_as_current_span("operation") as span:
                span.set_attributes({"watari.run": run_id, "watari.operation": operation})
                ended = self._carry(run_id, OperationId(operation))
                span.set_attribute("watari.ended", ended)
                return ended
        except Lost as e:
            log.info("%s", e)
        except Unwritable as e:
            log.error("operation %s of %s: %s", operation, run_id, e)
            self.trouble = str(e)
        except Exception as e:  # the outermost loop: what is not understood here must not be left without a word
            log.exception("operation %s of %s", operation, run_id)
            self.trouble = f"operation {operation} of {run_id}: {type(e).__name__}: {e}"
        finally:
            with self._lock:
                self._at_work.discard(key)
        return LEFT

    @property
    def idle(self) -> bool:
        """Nothing is being carried out by this process."""
        with self._lock:
            return not self._at_work

    def is_at_work(self, place: Place) -> bool:
        """Whether an operation (run, id) is being carried out by this process."""
        with self._lock:
            return place in self._at_work

    def _carry(self, run_id: str, id: OperationId) -> str:
        context = self._opened(run_id)
        if context is None or self.leaving.is_set():
            return LEFT
        run, books = context.run, context.books
        seq, op = next((i, o) for i, o in enumerate(run.plan.operations) if o.id == id)
        record = books.claim(run_id, op)
        place, told_at, told, waited = (run_id, seq), time.monotonic(), columns_of(record), False
        books.read_flags(run)
        fresh = record.state == "pending" and not record.steps[0].asked_at and not run.cancelled
        if fresh and not self._adopted(context, record):
            self._rest(run_id, AWAY_S)
            books.leave(run, record)
            return LEFT
        while not record.over:
            books.read_flags(run)
            if self.ended.is_set() or (not record.under_way and self._gives_up(context, record, waited)):
                books.leave(run, record)
                return LEFT
            before = _mark(record)
            try:
                self._advance(context, record)
            finally:
                self.turns.pass_on(place)
            if _mark(record) != before or record.over:
                continue
            if time.monotonic() - told_at > PROGRESS_S and (seen := columns_of(record)) != told:
                books.progress(run, record)
                told, told_at = seen, time.monotonic()
            self._pause(record, place)
            waited = True
        books.close_if_over(run_id)
        self.turns.wake()
        return record.state

    def _gives_up(self, context: Context, record: OperationRecord, waited: bool) -> bool:
        """Whether an operation that has not begun gives its place here to another one."""
        run = context.run
        if self.leaving.is_set() or (run.stopping and not run.cancelled):
            return True
        wanted = record.operation.waits_for
        if not (wanted and waited and len(self._at_work) >= self.at_once):
            return False
        # All places are taken by those that wait, and what this one waits for finds none: it would be for ever.
        return context.books.nobody_s(run, wanted)

    def _advance(self, context: Context, record: OperationRecord) -> None:
        """One step of the saga. A bug in a handler must not leave an operation that nobody looks at."""
        try:
            context.saga.advance(context.run, record)
        except (Lost, Unwritable):
            raise
        except Exception as e:
            self._give_up(context, record, e)

    def _give_up(self, context: Context, record: OperationRecord, e: Exception) -> None:
        log.error("operation %s of %s", record.operation.id, context.run.id, exc_info=e)
        why = f"{type(e).__name__}: {e}; this is a bug: look where {record.operation.name} is"
        context.saga.give_up(context.run, record, why)

    def _pause(self, record: OperationRecord, place: tuple[str, int]) -> None:
        if record.under_way:
            self.ended.wait(self.poll_s)
        else:
            self.turns.wait(place, self.wait_s)

    def _adopted(self, context: Context, record: OperationRecord) -> bool:
        """Look for what goes on already; False when the cloud does not answer."""
        try:
            context.saga.adopt(context.run, record)
        except (Lost, Unwritable):
            raise
        except Transient as e:
            log.warning("operation %s of %s: %s", record.operation.id, context.run.id, e)
            return False
        except Exception as e:  # a bug: this operation ends here, the others go on
            self._give_up(context, record, e)
        return True

    def _opened(self, run_id: str) -> Context | None:
        """The run's context; None when its cloud does not answer, or is not known here: then the run rests a while."""
        try:
            return self.open_run(run_id)
        except Transient as e:
            log.warning("%s waits: %s", run_id, e)
            self._rest(run_id, AWAY_S)
        except Permanent as e:  # another worker may know the cloud, or its password
            log.warning("%s cannot be worked on here: %s", run_id, e)
            self._rest(run_id, UNKNOWN_S)
        return None

    def resting(self) -> set[str]:
        """Runs that are left alone here for now, so that they take no places: their clouds do not answer."""
        now = time.monotonic()
        with self._lock:
            self._rests = {run: until for run, until in self._rests.items() if until > now}
            return set(self._rests)

    def _rest(self, run_id: str, seconds: float) -> None:
        with self._lock:
            self._rests[run_id] = time.monotonic() + seconds


def _mark(record: OperationRecord) -> tuple[object, ...]:
    return (record.state, *((r.state, r.handle, r.not_before, r.stopping) for r in record.steps))
