"""What the states of an operation's steps mean together: how the whole stands, and what has to be taken back."""

from watari.act.journal import OperationRecord, State, StepRecord
from watari.plan.steps import MOVES, Attach, Detach


def has_to_be_undone(record: OperationRecord, r: StepRecord) -> bool:
    """Whether a step of a failed saga left something behind that has to be taken back.

    A server that has arrived stays where it is: moving back is a new move, and its step stays done. A Detach that came
    to nothing may have done half of its work; once its Attach was tried there is no other way to put the server back.
    """
    if isinstance(r.step, Detach):
        heard = r.asked_at is not None and r.state in ("done", "failed", "skipped")
        return heard and not any(back.asked_at for back in record.of_member(r.step, Attach))
    return r.state == "done" and r.handle is not None and not isinstance(r.step, (*MOVES, Attach))


def was_taken_out(record: OperationRecord, step: Attach) -> bool:
    """Whether the Detach of the same operation asked for something."""
    out = record.of_member(step, Detach)
    return not out or any(r.asked_at is not None for r in out)


def state_of(record: OperationRecord) -> State:
    """The state of a whole that is not being undone, from those of its steps."""
    states: list[State] = [s.state for s in record.steps]
    if "undoing" in states:
        return "undoing"
    for bad in ("failed", "undone", "skipped"):
        if bad in states:
            return bad
    if all(s == "done" for s in states):
        return "done"
    if all(r.untouched for r in record.steps):
        return "pending"
    return "intended" if "intended" in states else "running"
