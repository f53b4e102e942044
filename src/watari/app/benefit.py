"""What a balance brought: steal and load measured again once the meter has seen the new places."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from watari.act.durable.benefits import (
    before_of,
    keep_before,
    of_run,
    recent,
    runs_to_measure,
    save,
    set_starved_after,
    starved_after,
)
from watari.act.durable.records import load_run, policy_of
from watari.act.durable.store import Store
from watari.act.journal import OperationRecord, Run
from watari.app.clouds import Cloud, open_cloud
from watari.app.measuring import by_source, journal_entry, measured, moved_at, ready
from watari.app.plans import plan_balance
from watari.app.state import database_url
from watari.errors import Transient, WatariError
from watari.jobs.balance.benefit import JOIN_S, before_of_plan, befores, not_measured, with_gains
from watari.jobs.balance.benefit_words import benefit_text
from watari.model.compute import ComputeSnapshot
from watari.plan.plan import Plan
from watari.plan.text import count, format_duration
from watari.policy.values import Policy

JOB: Final = "balance"  # a drain, or the way back, is not made to relieve anybody
LATE_S: Final = 3600.0  # a move is measured within an hour, or not at all: later loads tell of other things
AGAIN_S: Final = 15.0  # between two looks for loads that are late
LOOK_S: Final = 60.0  # between two looks at all runs
LOOK_BACK_S: Final = 86400.0  # how long ago a run may have ended whose moves are still looked at

Say = Callable[[str], None]
log = logging.getLogger(__name__)


def look_before(cloud: Cloud) -> ComputeSnapshot | None:
    """The cloud before a run begins; None when it does not answer now: that keeps no run from beginning."""
    try:
        return cloud.snapshot()
    except WatariError as e:
        log.warning("the loads before the run are not known: %s", e)
        return None


def note_before(store: Store, run_id: str, plan: Plan, cloud: Cloud, seen: ComputeSnapshot | None) -> None:
    """Keep how the servers and hosts of a balance were before it began; without that, its plan's steal is compared.

    What is kept of the run already stays: it may have moved some servers by now.
    """
    if plan.job == JOB and seen is not None:
        keep_before(store, run_id, cloud.name, plan.operations, befores(plan.operations, seen))


def starved_in(snapshot: ComputeSnapshot | None, policy: Policy) -> int | None:
    """How many servers are starved by the policy's limits; None when that is not known."""
    if snapshot is None:
        return None
    made = plan_balance(snapshot, policy)
    return None if any(f.code == "blind" for f in made.findings) else made.forecast.starved_before


def starved_now(cloud: Cloud, policy: Policy) -> int | None:
    """The same of the cloud as it is now."""
    return starved_in(look_before(cloud), policy)


def book(store: Store, run: Run, cloud: Cloud, policy: Policy, stopping: Callable[[], bool], say: Say) -> int | None:
    """Measure once the loads are of after the moves, and book the benefit; returns how many servers starve then.

    None: nothing could be measured, or `stopping` came first; then whoever looks next within the hour does it.
    """
    left = _left(store, run)
    if run.plan.job != JOB or not left:
        return starved_after(store, run.id)
    until = _newest(left) + timedelta(seconds=cloud.settle_s)
    late = until + timedelta(seconds=cloud.settle_s)
    if (wait_s := (until - cloud.clock.now()).total_seconds()) > 0:
        say(f"measuring what {count(len(left), 'move')} brought in {format_duration(wait_s)}, once loads are of after")
    starved: int | None = None
    while left and _sleep(cloud, until, stopping):
        try:
            snapshot = cloud.snapshot()
            starved = starved_in(snapshot, policy)
            left = _book(store, run, left, snapshot, cloud, policy, say)
            if not left:
                set_starved_after(store, run.id, starved)
        except Transient as e:
            say(f"measuring: {e}; trying again")
        except WatariError as e:
            say(f"what the moves brought cannot be measured: {e}")
            break
        if cloud.clock.now() >= late:
            break
        until = cloud.clock.now() + timedelta(seconds=AGAIN_S)
    if left:
        say(f"{count(len(left), 'move')} not measured yet: a worker does it, or `watari runs resume {run.id}`")
    return starved


@dataclass(slots=True)
class Due:
    """Measures moves of every run in this database, of those that go on too: call `look` from time to time."""

    store: Store
    say: Say
    opened: Callable[[str], Cloud] = open_cloud
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    _clouds: dict[str, Cloud] = field(default_factory=dict)
    _next: float = 0.0
    _told: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Book what is due, every LOOK_S at most. What keeps a run from being measured is said once.

        Raises Transient when the database does not answer.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_S
        since = self.wall() - timedelta(seconds=LOOK_BACK_S)
        for run_id, name in runs_to_measure(self.store, JOB, since):
            try:
                self._clouds[name] = self._clouds.get(name) or self.opened(name)
                measure_due(self.store, run_id, self._clouds[name], self.say)
            except WatariError as e:
                if run_id not in self._told:
                    self._told.add(run_id)
                    self.say(f"what {run_id} brought cannot be measured: {e}")


def measure_due(store: Store, run_id: str, cloud: Cloud, say: Say) -> None:
    """Measure those moves of a run that the meter has seen; close what nobody measured in time."""
    run = load_run(store, run_id)
    now, left, off = cloud.clock.now(), _left(store, run), by_source(run.operations)
    due = [o for o in left if ready(o, off, now, cloud.settle_s)]
    if not due:
        return
    policy, snapshot = policy_of(store, run_id), cloud.snapshot()
    waiting = _book(store, run, due, snapshot, cloud, policy, say)
    if run.finished and len(due) == len(left) and not waiting:
        set_starved_after(store, run_id, starved_in(snapshot, policy))


def with_benefits(snapshot: ComputeSnapshot, store: Store, cloud: str) -> ComputeSnapshot:
    """The snapshot with what its past moves brought, as far as it was measured."""
    if not snapshot.past:
        return snapshot
    since = min(m.ended for m in snapshot.past) - timedelta(seconds=JOIN_S)
    return replace(snapshot, past=with_gains(snapshot.past, recent(store, cloud, since)))


def recalled(snapshot: ComputeSnapshot, cloud: str) -> ComputeSnapshot:
    """The same from the database that commands use unless told otherwise; without it the snapshot as it is."""
    url = database_url()
    if not snapshot.past or ("://" not in url and not Path(url).expanduser().exists()):
        return snapshot
    try:
        store = Store(url)
        try:
            return with_benefits(snapshot, store, cloud)
        finally:
            store.close()
    except WatariError as e:  # a plan without this knowledge is better than none
        log.warning("what earlier moves brought is not known: %s", e)
        return snapshot


def _left(store: Store, run: Run) -> list[OperationRecord]:
    """Moves that were made and are not measured."""
    known = {b.operation for b in of_run(store, run.id)}
    return [o for o in run.operations if moved_at(o) is not None and o.operation.id not in known]


def _newest(records: list[OperationRecord]) -> datetime:
    return max(at for o in records if (at := moved_at(o)) is not None)


def _book(
    store: Store,
    run: Run,
    records: list[OperationRecord],
    snapshot: ComputeSnapshot,
    cloud: Cloud,
    policy: Policy,
    say: Say,
) -> list[OperationRecord]:
    """Book what can be measured now; returns the moves whose load may still come."""
    before, waiting = before_of(store, run.id), []
    for record in records:
        op, ended = record.operation, moved_at(record)
        assert ended is not None
        kept = before.get(op.id) or before_of_plan(op)
        found = measured(record, kept, snapshot, cloud.settle_s, policy.detect)
        late = (snapshot.taken_at - ended).total_seconds() > LATE_S
        if late:
            found = not_measured(found)
        elif not found.measured and cloud.settle_s > 0:
            waiting.append(record)
            continue
        if save(store, run.id, cloud.name, op, found, journal_entry(run.id, found)):
            verdict = " did not help" if found.verdict == "no-help" else ""
            say(f"{op.name} {op.source} -> {op.target}{verdict}: {benefit_text(found)}")
    return waiting


def _sleep(cloud: Cloud, until: datetime, stopping: Callable[[], bool]) -> bool:
    """Wait, a second at a time; False once `stopping`."""
    while (left_s := (until - cloud.clock.now()).total_seconds()) > 0:
        if stopping():
            return False
        cloud.clock.sleep(min(1.0, left_s))
    return True
