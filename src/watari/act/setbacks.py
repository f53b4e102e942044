"""What becomes of a step when whoever is asked does not answer, or says no: it is asked again later, or ended."""

from datetime import datetime, timedelta

from watari.act.journal import Run, StepRecord
from watari.plan.steps import Attach, Detach
from watari.plan.text import format_duration

BACKOFF_S = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0)  # then an operation gives up
LEFT_OUT = "IS OUT OF SERVICE in {}: "  # begins the note of a step that could not put a server back


def later(run: Run, r: StepRecord, why: str, now: datetime) -> None:
    """Nothing changed, or nobody knows: ask again later, less and less often.

    Given up is what was certainly not begun; a server that does not get empty, or back, in time; and, once the run is
    cancelled, a move of which nobody can tell how it is. Any other move is watched for as long as it takes.
    """
    r.setbacks += 1
    wait = BACKOFF_S[min(r.setbacks, len(BACKOFF_S)) - 1]
    r.not_before, r.note = now + timedelta(seconds=wait), why
    if isinstance(r.step, Attach) or (isinstance(r.step, Detach) and r.state == "undoing"):
        r.tried_at = r.tried_at or now
        if (now - r.tried_at).total_seconds() > r.step.deadline_s:
            end(r, LEFT_OUT.format(r.step.orchestrator) + why, now)
    elif isinstance(r.step, Detach) and r.state == "running":
        late = (now - (r.begun_at or now)).total_seconds() > r.step.deadline_s
        if late or run.cancelled:
            end(r, f"{'cancelled' if run.cancelled else _not_empty(r.step)}: {why}", now)
    elif run.cancelled and r.state == "running" and r.setbacks > len(BACKOFF_S):
        fail(r, f"cancelled: {why}", now)
    elif r.setbacks > len(BACKOFF_S) and r.state in ("pending", "intended"):
        gave_up = f"gave up after {r.setbacks} tries: {why}"
        if r.asked_at is None:
            r.state, r.ended_at, r.note = "skipped", now, gave_up
        else:
            end(r, f"{gave_up}; look whether the cloud moves it all the same", now)


def fail(r: StepRecord, why: str, now: datetime) -> None:
    """Whatever is under way may go on without us, and that is said."""
    end(r, f"{why}; look whether the cloud goes on with {r.handle}" if r.state == "running" else why, now)


def end(r: StepRecord, why: str, now: datetime) -> None:
    r.state, r.note, r.ended_at = "failed", why, now


def _not_empty(step: Detach) -> str:
    return f"not empty after {format_duration(step.deadline_s)}"
