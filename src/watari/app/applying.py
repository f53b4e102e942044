"""Carry a plan out on whichever cloud it is for, and measure what it brought."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from watari.act.durable.audit import Actor, audited
from watari.act.durable.records import load_run, policy_of
from watari.act.durable.store import Store
from watari.act.journal import Run
from watari.app import runs
from watari.app.benefit import Due, book, look_before, note_before, starved_in
from watari.app.clouds import Cloud, is_sim, open_cloud
from watari.app.database import find_run, opened
from watari.app.plans import Applied, Watch, apply_plan, check_fresh, cloud_of
from watari.errors import Busy
from watari.plan.plan import Plan
from watari.policy.load import load_policy, policy_text

NOBODY: Final = Actor("", "cli")
Say = Callable[[str], None]
Stopping = Callable[[], bool]


def apply(
    plan: Plan,
    policy_ref: str | None,
    cloud_name: str | None,
    database: str | None,
    watch: Watch,
    stopping: Stopping,
    say: Say = lambda line: None,
    asked: tuple[Actor, str] = (NOBODY, ""),
) -> Applied:
    """Carry a plan out. On a real cloud it becomes a run in the database, which survives this process.

    `asked`: by whom and why, for the record of changes.

    Raises Stale when the plan has expired, belongs to another policy, or its servers are gone or were resized, and Busy
    while another process works there.
    """
    policy = load_policy(policy_ref)
    if is_sim(cloud_of(plan, cloud_name)):
        return apply_plan(plan, policy, cloud_name, watch, stopping)
    cloud = check_fresh(plan, policy, cloud_name)
    with opened(database) as store:
        seen = look_before(cloud)
        with audited(store, asked[0], "apply plan", plan.id, asked[1], cloud.name):
            run_id, new = runs.begin(store, plan, cloud, policy_text(policy_ref), starved_in(seen, policy))
        if new:  # else some of it is done already: what is seen now is no "before"
            note_before(store, run_id, plan, cloud, seen)
        return finish(store, run_id, cloud, watch, stopping, say)


def resume(store: Store, run_id: str, watch: Watch, stopping: Stopping, say: Say) -> Applied:
    """Go on with a run that was interrupted; one that is over is left as it is. Raises BadInput for an unknown id."""
    row = find_run(store, run_id)
    return finish(store, row.id, open_cloud(row.cloud), watch, stopping, say)


def measure(store: Store, run_id: str, stopping: Stopping, say: Say) -> None:
    """Measure what is still to be measured of a run that is over."""
    row = find_run(store, run_id)
    book(store, load_run(store, run_id), open_cloud(row.cloud), policy_of(store, run_id), stopping, say)


def finish(store: Store, run_id: str, cloud: Cloud, watch: Watch, stopping: Stopping, say: Say) -> Applied:
    """Work on a run to its end, then measure. Raises Busy, saying what becomes of the run, when another process may."""
    started, due = cloud.clock.now(), Due(store, say)

    def watched(run: Run, now: datetime) -> None:
        watch(run, now)
        due.look()  # a run may take hours: what its first moves brought is measured meanwhile

    try:
        run = runs.carry_out(store, run_id, watched, stopping, cloud)
    except Busy as e:
        raise Busy(
            f"{e}\n{run_id} is written down: if that is a controller or a worker it carries it out (watari runs show "
            f"{run_id}); else go on with `watari runs resume {run_id}`"
        ) from None
    seconds = (cloud.clock.now() - started).total_seconds()
    after = book(store, run, cloud, policy_of(store, run_id), stopping, say) if run.finished else None
    return Applied(run, find_run(store, run_id).starved_before, after, seconds, f"watari runs show {run_id}")
