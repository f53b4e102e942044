"""What is new to a target: a function of what it was told, and of what is so now."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from watari.app.notify.matters import Mark, Matter, News, Now, Plan, Run, State, Told
from watari.app.notify.targets import SEVERITIES, Target

CALM_S: Final = 600.0  # what was gone for less has not ended; and between two messages about plans
AT_ONCE: Final = frozenset({"stopped"})  # codes that end by a person's will: they do not flap
ABOUT_TARGETS: Final = frozenset({"notify", "notify-broken"})  # no target is told of itself
MEASURED_S: Final = 900.0  # so long a run that ended well waits for what it brought
LOOK_BACK_S: Final = 86400.0  # what ended longer ago is no news


def news(before: State | None, now: Now, target: Target) -> tuple[State, News]:
    """What the target is told at this look, and what it knows then. `before` None: it was told nothing yet.

    A matter's beginning is told when it was seen for `after_s`, its end once it was gone for CALM_S; in between, that
    it lasts, every `repeat_s`. Whoever was told of its beginning is told of its end.
    """
    state = before or State(now.at)
    told, began, lasting, ended = _matters(state, now, target)
    plan_marks, plans = _plans(state, now) if "plans" in target.about else ((), ())
    run_marks, runs = _runs(state, now)
    runs = runs if "runs" in target.about else ()
    after = replace(state, told=told, plans=plan_marks, runs=run_marks)
    return after, News(before is None, began, ended, lasting, plans, runs)


_Several = tuple[Told, ...]


def _matters(state: State, now: Now, target: Target) -> tuple[_Several, _Several, _Several, _Several]:
    """What is known then, and of that: what began, lasts and ended."""
    worst_last = sorted(now.matters, key=lambda m: SEVERITIES.index(m.severity))
    seen = {m.key: m for m in worst_last}  # of several with the same key the worst
    wanted = {key: m for key, m in seen.items() if _wants(target, m)}
    known = {t.matter.key: t for t in state.told if _wants(target, t.matter)}
    kept: list[Told] = []
    began: list[Told] = []
    lasting: list[Told] = []
    ended: list[Told] = []
    for key, matter in sorted(wanted.items()):
        was = known.get(key) or Told(matter, now.at)
        one = _seen(was, matter, now.at, target)
        kept.append(one)
        if one.told_at != was.told_at:
            (began if was.told_at is None else lasting).append(one)
    for key, was in known.items():
        if key in seen:  # and no longer wanted: it has not ended
            continue
        if not now.knows(was.matter):
            kept.append(was)
            continue
        gone = replace(was, gone_at=was.gone_at or now.at)
        if gone.matter.code not in AT_ONCE and not _passed(gone.gone_at, now.at, CALM_S):
            kept.append(gone)
        elif gone.told_at is not None:
            ended.append(gone)
    return tuple(kept), tuple(began), tuple(lasting), tuple(ended)


def _wants(target: Target, matter: Matter) -> bool:
    itself = matter.code in ABOUT_TARGETS and matter.subject == target.name
    return not itself and target.wants(matter.about, matter.severity)


def _seen(was: Told, matter: Matter, at: datetime, target: Target) -> Told:
    """A matter that is so now, told or not."""
    one = replace(was, matter=matter, gone_at=None)
    if one.told_at is None:
        return replace(one, told_at=at) if _passed(one.since, at, target.after_s) else one
    if target.repeat_s is not None and _passed(one.told_at, at, target.repeat_s):
        return replace(one, told_at=at)
    return one


def _plans(state: State, now: Now) -> tuple[tuple[Mark, ...], tuple[Plan, ...]]:
    """Each plan once, and not every minute another one: what is replaced that quickly nobody can have read."""
    waiting = {plan.id for plan in now.plans}
    recent = {mark.id for mark in state.plans if not _passed(mark.at, now.at, CALM_S)}
    kept = tuple(mark for mark in state.plans if mark.id in waiting | recent)
    known = {mark.id for mark in kept}
    fresh = () if recent else tuple(plan for plan in now.plans if plan.id not in known)
    return (*kept, *(Mark(plan.id, now.at) for plan in fresh)), fresh


def _runs(state: State, now: Now) -> tuple[tuple[Mark, ...], tuple[Run, ...]]:
    """Runs that ended since the target is told at all."""
    kept = tuple(mark for mark in state.runs if not _passed(mark.at, now.at, 2 * LOOK_BACK_S))
    known = {mark.id for mark in kept}
    ended = (r for r in now.runs if r.ended_at > state.begun_at and not _passed(r.ended_at, now.at, LOOK_BACK_S))
    fresh = tuple(run for run in ended if run.id not in known and not _is_measured_soon(run, now.at))
    return (*kept, *(Mark(run.id, run.ended_at) for run in fresh)), fresh


def _is_measured_soon(run: Run, at: datetime) -> bool:
    """A balance that moved somebody and failed nowhere is told with what it brought."""
    unknown = run.job == "balance" and run.starved_before is not None and run.starved_after is None
    return unknown and "done" in run.counts and not run.failed and not _passed(run.ended_at, at, MEASURED_S)


def _passed(since: datetime | None, at: datetime, seconds: float) -> bool:
    """Also when the clock was set back further than that."""
    return since is not None and abs((at - since).total_seconds()) >= seconds
