"""Watari's values as the API shows them."""

from datetime import datetime
from typing import Any, cast

from watari.act.durable.audit import Line
from watari.act.durable.histories import Kept
from watari.act.durable.proposals import OPEN, Proposal
from watari.act.durable.records import RunRow
from watari.act.durable.stops import Stop
from watari.act.journal import OperationRecord, StepRecord, in_words
from watari.app.history.slots import SLOT_S, moment
from watari.app.serving.status import Status
from watari.plan.codec import plan_to_dict
from watari.plan.plan import Plan
from watari.plan.render import render
from watari.web.api import models as m


def cloud(status: Status) -> m.Cloud:
    body = status.body
    known = bool(body.get("hosts"))  # zeros of a cloud that could not be read would be lies
    return m.Cloud(
        name=status.cloud,
        controller=status.controller,
        mode=cast("m.Mode", status.mode),
        policy=body.get("policy", ""),
        every_s=body.get("every_s"),
        looked_s=None if status.looked_s is None else round(max(0.0, status.looked_s), 1),
        hosts=body.get("hosts") if known else None,
        servers=body.get("servers") if known else None,
        measured=body.get("measured") if known else None,
        starved=status.starved,
        doing=status.doing,
        trouble=status.trouble,
        findings=len(status.findings),
        stop=None if status.stop is None else stop(status.stop),
    )


def finding(cloud: str, found: dict[str, Any]) -> m.Finding:
    return m.Finding(cloud=cloud, **{key: str(found[key]) for key in ("severity", "subject", "code", "text", "help")})


def stop(one: Stop) -> m.Stop:
    return m.Stop(cloud=one.cloud, by=one.by, why=one.why, at=one.at)


def plan(one: Proposal, now: datetime) -> m.Plan:
    """One whose time is over is expired, whether its controller has noted that or not."""
    late = one.state in OPEN and one.expires_at < now
    return m.Plan(
        id=one.id,
        cloud=one.cloud,
        job=one.job,
        mode=one.mode,
        state="expired" if late else one.state,
        why=one.why,
        made_at=one.made_at,
        expires_at=one.expires_at,
        operations=one.operations,
        starved=one.starved,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        run=one.run_id,
    )


def plan_details(one: m.Plan, whole: Plan) -> m.PlanDetails:
    return m.PlanDetails(**dict(one), plan=plan_to_dict(whole), text=render(whole, verbose=True))


def run(row: RunRow) -> m.Run:
    return m.Run(
        id=row.id,
        plan=row.plan_id,
        job=row.job,
        cloud=row.cloud,
        state=cast("m.RunState", row.state),
        started_at=row.started_at,
        ended_at=row.ended_at,
        counts=cast("dict[m.OperationState, int]", row.counts),
        starved_before=row.starved_before,
        starved_after=row.starved_after,
    )


def operation(record: OperationRecord, run: str, cloud: str) -> m.Operation:
    op = record.operation
    return m.Operation(
        id=op.id,
        run=run,
        cloud=cloud,
        subject=op.subject,
        name=op.name,
        source=op.source,
        target=op.target,
        wave=op.wave,
        state=record.state,
        waits="" if record.over else record.waits,
        note=record.note,
        mib=op.cost.mib,
        expected_s=op.cost.seconds,
        out_of_service=record.leaves_out,
        steps=[_step(r) for r in record.steps],
    )


def history(kept: Kept) -> m.History:
    first, end = moment(kept.first), moment(kept.last + SLOT_S)
    return m.History(
        cloud=kept.cloud,
        begins=first,
        ends=end,
        slots=kept.slots,
        covered=round(kept.slots * SLOT_S / (end - first).total_seconds(), 3),
        servers=kept.servers,
        mib=round(kept.size / 2**20, 2),
    )


def audit_line(line: Line) -> m.AuditLine:
    return m.AuditLine(
        n=line.n,
        at=line.at,
        by=line.actor.user,
        via=line.actor.via,
        address=line.actor.address,
        action=line.action,
        cloud=line.cloud,
        subject=line.subject,
        why=line.why,
        outcome=line.outcome,
    )


def _step(r: StepRecord) -> m.Step:
    rest = r.total_mib - r.done_mib
    return m.Step(
        what=in_words(r.step),
        state=r.state,
        attempts=r.attempts,
        asked_at=r.asked_at,
        begun_at=r.begun_at,
        ended_at=r.ended_at,
        moved_at=r.moved_at,
        done_mib=r.done_mib,
        total_mib=r.total_mib,
        rate_mib_s=r.rate_mib_s,
        eta_s=round(rest / r.rate_mib_s, 1) if r.rate_mib_s > 0 and not r.over else None,
        note=r.note,
    )
