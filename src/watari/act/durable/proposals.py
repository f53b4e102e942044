"""What a controller proposes, what people decide, and what became of it."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from watari.act.durable.records import keep_plan, plan_of
from watari.act.durable.store import Store
from watari.act.durable.tables import benefits, entries, operations, plans, proposals, runs
from watari.errors import BadInput, NotFound
from watari.plan.plan import Plan

ProposalState = Literal[
    "suggested",  # to look at
    "waiting",  # for a person
    "approved",  # a run begins in a moment
    "begun",  # see its run
    "rejected",
    "replaced",  # by another, or by nothing: `why`
    "expired",
    "stale",  # the cloud was no longer what the plan saw when it was to begin
]
OPEN: Final[tuple[ProposalState, ...]] = ("suggested", "waiting", "approved")
ASKED: Final = "asked"  # in the place of a mode: a person wanted this plan, so the job's mode does not matter


@dataclass(frozen=True, slots=True)
class Proposal:
    """One plan of a controller. `why` belongs to the state, `subjects` are the ids that its operations are about."""

    id: str
    cloud: str
    job: str
    mode: str
    made_at: datetime
    expires_at: datetime
    operations: int
    subjects: frozenset[str]
    starved: int | None
    state: ProposalState
    why: str
    decided_by: str
    decided_at: datetime | None
    run_id: str | None
    policy: tuple[str, str]  # text and source


def propose(
    c: sa.Connection,
    plan: Plan,
    cloud: str,
    mode: str,
    policy: tuple[str, str],
    state: ProposalState,
    by: str = "",
    why: str = "",
) -> None:
    """Keep a plan as a proposal, decided `by` somebody already or not.

    One that is known stays as it is, with what was decided.
    """
    if c.scalar(sa.select(proposals.c.id).where(proposals.c.id == plan.id)) is not None:
        return
    keep_plan(c, plan, cloud)
    row: dict[str, Any] = {"id": plan.id, "cloud": cloud, "job": plan.job, "mode": mode, "state": state, "why": why}
    row |= {"decided_by": by, "decided_at": plan.made_at.isoformat() if by else None}
    row |= {"made_at": plan.made_at.isoformat(), "expires_at": plan.expires_at.isoformat()}
    row |= {"policy_text": policy[0], "policy_source": policy[1], "starved": plan.forecast.starved_before}
    subjects = json.dumps(sorted({o.subject for o in plan.operations}))
    c.execute(proposals.insert().values(**row, operations=len(plan.operations), subjects=subjects))


def settle(
    c: sa.Connection,
    id: str,
    state: ProposalState,
    why: str,
    at: datetime,
    *,
    by: str = "",
    run_id: str | None = None,
    was: tuple[ProposalState, ...],
) -> bool:
    """Bring a proposal from one of the states `was` to `state`; False if it is in another by now."""
    change: dict[str, Any] = {"state": state, "why": why, "run_id": run_id}
    if by:
        change |= {"decided_by": by, "decided_at": at.isoformat()}
    return (
        c.execute(proposals.update().where(proposals.c.id == id, proposals.c.state.in_(was)).values(change)).rowcount
        > 0
    )


def decide(store: Store, id: str, *, approve: bool, by: str, why: str, now: datetime) -> Proposal:
    """Approve a proposal that waits, or reject one that waits or has not begun. The same answer again changes nothing.

    Raises BadInput, saying what has become of it, for one that no longer waits or never did.
    """
    wanted: ProposalState = "approved" if approve else "rejected"
    was: tuple[ProposalState, ...] = ("waiting",) if approve else ("waiting", "approved")
    found = find_proposal(store, id)
    if found.state in was and now > found.expires_at:
        raise BadInput(
            f"{id} expired at {found.expires_at:%Y-%m-%d %H:%M %Z}: another one follows if it is still needed"
        )
    with store.writing() as c:
        if settle(c, id, wanted, why or found.why, now, by=by, was=was):
            return find_in(c, id)
        found = find_in(c, id)
    if found.state == wanted or (approve and found.state == "begun" and found.decided_by):
        return found
    raise BadInput(f"{id} is not waiting for approval: it is {found.state}{_because(found)}")


def prune(c: sa.Connection, cloud: str, before: datetime) -> None:
    """Forget what was proposed before then and came to nothing: no run was begun, or nothing of it was ever asked for.

    What a person decided, and what has moved anything, stays.
    """
    p, o = proposals.c, operations.c
    old = sa.and_(p.cloud == cloud, p.made_at < before.isoformat(), p.state.not_in(OPEN))
    moved = sa.exists().where(o.run_id == p.run_id, o.state != "skipped")
    idle = sa.select(p.run_id).where(old, p.mode == "automatic", p.run_id.is_not(None), ~moved)
    ended = sa.select(runs.c.id).where(runs.c.id.in_(idle), runs.c.ended_at.is_not(None))
    run_ids = list(c.execute(ended).scalars())
    undecided = sa.or_(p.decided_by == "", p.mode == "automatic")
    gone = sa.or_(p.run_id.in_(run_ids), sa.and_(p.run_id.is_(None), undecided))
    ids = list(c.execute(sa.select(p.id).where(old, gone)).scalars())
    for table in (operations, entries, benefits):
        c.execute(table.delete().where(table.c.run_id.in_(run_ids)))
    c.execute(runs.delete().where(runs.c.id.in_(run_ids)))
    c.execute(proposals.delete().where(p.id.in_(ids)))
    c.execute(plans.delete().where(plans.c.id.in_(ids), plans.c.id.not_in(sa.select(runs.c.plan_id))))


def find_proposal(store: Store, id: str) -> Proposal:
    """One by its plan's id. Raises BadInput for an unknown one."""
    with store.reading() as c:
        return find_in(c, id)


def find_in(c: sa.Connection, id: str) -> Proposal:
    row = c.execute(sa.select(proposals).where(proposals.c.id == id)).first()
    if row is None:
        raise NotFound(f'no plan "{id}" of a controller; see `watari plans list`')
    return _proposal(row)


def list_proposals(
    store: Store,
    *,
    cloud: str | None = None,
    job: str | None = None,
    states: Collection[str] = (),
    limit: int | None = None,
    after: str | None = None,
) -> list[Proposal]:
    """Proposals, newest first; `after`: only those that come after this one. Raises BadInput for an unknown `after`."""
    with store.reading() as c:
        return list_in(c, cloud=cloud, job=job, states=states, limit=limit, after=after)


def list_in(
    c: sa.Connection,
    *,
    cloud: str | None = None,
    job: str | None = None,
    states: Collection[str] = (),
    limit: int | None = None,
    after: str | None = None,
    lock: bool = False,
) -> list[Proposal]:
    """The same within a transaction; with `lock` nobody else decides on these until its end."""
    order = (proposals.c.made_at, proposals.c.id)
    wanted = sa.select(proposals).order_by(*(column.desc() for column in order)).limit(limit)
    if after is not None:
        last = find_in(c, after)
        wanted = wanted.where(sa.tuple_(*order) < sa.tuple_(last.made_at.isoformat(), last.id))
    if cloud is not None:
        wanted = wanted.where(proposals.c.cloud == cloud)
    if job is not None:
        wanted = wanted.where(proposals.c.job == job)
    if states:
        wanted = wanted.where(proposals.c.state.in_(list(states)))
    return [_proposal(row) for row in c.execute(wanted.with_for_update() if lock else wanted)]


def modes_of(store: Store, run_ids: Collection[str]) -> dict[str, str]:
    """In which mode the plans of these runs were proposed."""
    with store.reading() as c:
        wanted = sa.select(proposals.c.run_id, proposals.c.mode).where(proposals.c.run_id.in_(list(run_ids)))
        return {row.run_id: row.mode for row in c.execute(wanted)}


def proposed_plan(store: Store, id: str) -> Plan:
    """The plan itself. Raises BadInput for an unknown id."""
    find_proposal(store, id)
    return plan_of(store, id)


def _because(found: Proposal) -> str:
    match found:
        case Proposal(state="suggested", operations=0):
            return ", with nothing to carry out"
        case Proposal(state="suggested"):
            return (
                f"; {found.job} is in mode {found.mode}: save it (watari plans show {found.id} -o plan.json) and carry "
                f"it out yourself, or set serve.{found.job} to approve in the policy"
            )
        case Proposal(state="begun", run_id=run):
            return f", see `watari runs show {run}`"
        case Proposal(why=why, decided_by=by):
            return (f" by {by}" if by else "") + (f": {why}" if why else "")


def _proposal(row: Any) -> Proposal:
    return Proposal(
        row.id, row.cloud, row.job, row.mode, datetime.fromisoformat(row.made_at),
        datetime.fromisoformat(row.expires_at), row.operations, frozenset(json.loads(row.subjects)), row.starved,
        row.state, row.why, row.decided_by, datetime.fromisoformat(row.decided_at) if row.decided_at else None,
        row.run_id, (row.policy_text, row.policy_source),
    )  # fmt: skip
