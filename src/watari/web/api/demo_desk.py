"""The desk of the demo: what a controller's database would hold is in memory, and ends with the day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from watari.act.journal import Run
from watari.app.demo import Demo
from watari.app.snapshots import snapshot_file
from watari.errors import BadInput, NotFound
from watari.plan.plan import Plan
from watari.policy.load import parse_policy, policy_text, shipped_policies
from watari.web.api import models as m
from watari.web.api import views
from watari.web.api.desk import By, Change
from watari.web.api.paging import page_of
from watari.web.hub import Hub

NAME = "demo"  # in addresses; the page's title says which simulated cloud it is
KEPT = 200  # plans and runs that are listed


@dataclass(slots=True)
class DemoDesk:
    """Reads a Demo that another thread advances: lists that only grow, and values that are never changed."""

    demo: Demo
    hub_: Hub
    _told: dict[tuple[str, ...], m.Answer] | None = None
    _line: int = 0
    _changes: list[m.AuditLine] = field(default_factory=list)
    _stop: m.Stop | None = None

    # What there is ------------------------------------------------------------------------------------------------

    def clouds(self) -> Sequence[m.Cloud]:
        demo, servers = self.demo, len(self.demo.spec.servers)
        waits = demo.approvals is not None and demo.approvals.waits
        return [
            m.Cloud(
                name=NAME, controller="watari demo", mode=self._mode(), policy=demo.policy.name, every_s=60.0,
                looked_s=0.0, hosts=len(demo.spec.hosts), servers=servers, measured=servers,
                starved=int(demo.starved().sum()), doing=self._doing(waits=waits), trouble="",
                findings=len(self._found()), stop=self._stop,
            )
        ]  # fmt: skip

    def findings(self, cloud: str) -> Sequence[m.Finding]:
        self._known(cloud)
        return self._found()

    def hub(self, cloud: str) -> Hub | None:
        self._known(cloud)
        return self.hub_

    def snapshot(self, cloud: str) -> bytes | None:
        self._known(cloud)
        last = self.demo.balancer.snapshot
        return None if last is None else snapshot_file(last)

    def histories(self) -> Sequence[m.History]:
        return []

    def forget(self, cloud: str, by: By) -> None:
        raise BadInput("the demo looks after its cloud: end it with Ctrl-C")

    # Plans and runs -----------------------------------------------------------------------------------------------

    def plans(self, cloud: str | None, states: Sequence[str], after: str | None, limit: int) -> m.Items[m.Plan]:
        found = [self._plan(plan) for plan in self._all_plans().values()]
        return page_of(
            [p for p in found if cloud in (None, p.cloud) and (not states or p.state in states)], after, limit
        )

    def plan(self, id: str) -> m.PlanDetails:
        if (plan := self._all_plans().get(id)) is None:
            raise NotFound(f'no plan "{id}" of this day')
        return views.plan_details(self._plan(plan), plan)

    def propose(self, wanted: m.PlanRequest, by: By) -> m.PlanDetails:
        raise BadInput("the demo's balancer plans by itself; on a real cloud plans can be asked for")

    def decide(self, id: str, approve: bool, why: str, by: By) -> m.Plan:
        if self.demo.approvals is None:
            raise BadInput("the demo's balancer begins by itself; with `watari demo --approve` it asks")
        asked = self.demo.approvals.decide(id, approve=approve, by=by.user, why=why, now=self.demo.now)
        self._written(by, "approve plan" if approve else "reject plan", id, why)
        return self._plan(asked.plan)

    def runs(self, cloud: str | None, only_open: bool, after: str | None, limit: int) -> m.Items[m.Run]:
        found = [self._run(run) for run in self._all_runs()]
        wanted = [r for r in found if cloud in (None, r.cloud) and (r.ended_at is None or not only_open)]
        return page_of(wanted, after, limit)

    def run(self, id: str) -> m.RunDetails:
        run = self._found_run(id)
        operations = [views.operation(record, id, NAME) for record in run.operations]
        return m.RunDetails(**dict(self._run(run)), operations=operations)

    def journal(self, run: str, after: int, limit: int) -> m.Items[m.JournalLine]:
        self._found_run(run)
        lines = [line for line in self._lines(after) if line.run == run][: limit + 1]
        return m.Items(items=lines[:limit], next=str(lines[limit - 1].n) if len(lines) > limit else None)

    def stop_run(self, id: str, why: str, by: By) -> m.Run:
        return self._told_run(id, "stop run", why, by, lambda run: setattr(run, "stopping", True))

    def cancel_run(self, id: str, why: str, by: By) -> m.Run:
        def cancel(run: Run) -> None:
            run.cancelled = run.stopping = True

        return self._told_run(id, "cancel run", why, by, cancel)

    def resume_run(self, id: str, why: str, by: By) -> m.Run:
        if self._found_run(id).cancelled:
            raise BadInput(f"{id} is being given up")
        return self._told_run(id, "resume run", why, by, lambda run: setattr(run, "stopping", False))

    def undo_run(self, id: str, why: str, by: By) -> m.PlanDetails:
        self._found_run(id)
        raise BadInput("the demo takes no run back; on a real cloud the way back is a plan that waits for approval")

    # The stop switch, policies, the record ------------------------------------------------------------------------

    def stops(self) -> Sequence[m.Stop]:
        return [] if self._stop is None else [self._stop]

    def set_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        if cloud:
            self._known(cloud)
        if self._stop is None:
            self._stop = m.Stop(cloud=cloud, by=by.user, why=why, at=self.demo.now)
            self.demo.stopped = True
            self._written(by, "stop", cloud or "all clouds", why)
        return self._stop

    def lift_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        if (stop := self._stop) is None or stop.cloud != cloud:
            raise BadInput(f"the stop switch of {cloud or 'all clouds'} is not set")
        self._stop, self.demo.stopped = None, False
        self._written(by, "go", cloud or "all clouds", why)
        return stop

    def policy(self, ref: str) -> m.PolicyShown:
        if ref not in shipped_policies():
            raise NotFound(f"no policy is called so; there are {', '.join(self.policies())}")
        text, source = policy_text(ref)
        return m.PolicyShown(name=ref, digest=parse_policy(text, source).digest, text=text)

    def policies(self) -> Sequence[str]:
        return list(shipped_policies())

    def what_if(self, wanted: m.WhatIf) -> m.Played:
        raise BadInput("the demo keeps no history; compare policies with `watari replay --trace`")

    def audit(self, after: int | None, limit: int) -> m.Items[m.AuditLine]:
        found = [line for line in reversed(self._changes) if after is None or line.n < after]
        return m.Items(items=found[:limit], next=str(found[limit - 1].n) if len(found) > limit else None)

    def changes(self) -> Sequence[Change]:
        current = [Change("cloud", cloud, cloud.name) for cloud in self.clouds()]
        current += [Change("plan", self._plan(plan), NAME) for plan in self._all_plans().values()]
        for run in self._all_runs():
            current.append(Change("run", self._run(run), NAME, run.id))
            if not run.finished or self._told is None or ("run", run.id) not in self._told:
                shown = (views.operation(record, run.id, NAME) for record in run.operations)
                current += [Change("operation", operation, NAME, run.id) for operation in shown]
        told, first = self._told or {}, self._told is None
        changed = [change for change in current if told.get(_key(change)) != change.body]
        kept = {key: body for key, body in told.items() if key[0] == "operation"}  # of runs that are over
        self._told = kept | {_key(change): change.body for change in current}
        lines = self._lines(self._line)
        self._line = lines[-1].n if lines else self._line
        return [] if first else [*changed, *(Change("journal", line, NAME, line.run) for line in lines)]

    # ----------------------------------------------------------------------------------------------------------------

    def _mode(self) -> m.Mode:
        if not self.demo.acting:
            return "observe"
        return "automatic" if self.demo.approvals is None else "approve"

    def _doing(self, *, waits: bool) -> str:
        if waits:
            return "a plan waits for you: time stands still until you decide"
        moving = len(self.demo.cloud.flights_progress())
        return f"{moving} moves under way" if moving else "nothing to do" if self.demo.acting else "only watches yet"

    def _found(self) -> list[m.Finding]:
        made = self.demo.balancer.plan
        found = () if made is None else made.findings
        return [
            m.Finding(cloud=NAME, severity=f.severity, subject=f.subject, code=f.code, text=f.text, help=f.help)
            for f in found
        ]

    def _all_runs(self) -> list[Run]:
        return [run for run in reversed(list(self.demo.balancer.history)[-KEPT:]) if run.operations]

    def _all_plans(self) -> dict[str, Plan]:
        """By their ids, newest first: those of runs, those that people were asked about, and the one just made."""
        out = {} if self.demo.approvals is None else {id: one.plan for id, one in self.demo.approvals.asked.items()}
        out |= {run.plan.id: run.plan for run in self._all_runs()}
        made = self.demo.balancer.plan
        if made is not None and made.operations and self.demo.approvals is None:
            out.setdefault(made.id, made)
        newest = sorted(out.values(), key=lambda plan: (plan.made_at, plan.id), reverse=True)
        return {plan.id: plan for plan in newest[:KEPT]}

    def _plan(self, plan: Plan) -> m.Plan:
        asked = None if self.demo.approvals is None else self.demo.approvals.asked.get(plan.id)
        run = next((run for run in self._all_runs() if run.plan.id == plan.id), None)
        state: m.PlanState = "begun" if run is not None else "suggested" if self.demo.acting is False else "replaced"
        if asked is not None:
            state = "approved" if asked.state == "begun" and run is None else asked.state
        by = asked.by if asked is not None else f"policy {self.demo.policy.name}" if run is not None else ""
        return m.Plan(
            id=plan.id, cloud=NAME, job=plan.job, mode=self._mode(), state=state,
            why=asked.why if asked is not None else "", made_at=plan.made_at, expires_at=plan.expires_at,
            operations=len(plan.operations), starved=plan.forecast.starved_before, decided_by=by,
            decided_at=asked.at if asked is not None else None, run=run.id if run is not None else None,
        )  # fmt: skip

    def _run(self, run: Run) -> m.Run:
        counts: dict[m.OperationState, int] = {}
        for record in list(run.operations):
            counts[record.state] = counts.get(record.state, 0) + 1
        ends = [r.ended_at for o in run.operations for r in o.steps if r.ended_at is not None]
        over = run.finished
        state: m.RunState = "cancelling" if run.cancelled else "stopped" if run.stopping else "running"
        if over:
            state = "cancelled" if run.cancelled else "done" if counts.keys() <= {"done"} else "partly"
        return m.Run(
            id=run.id, plan=run.plan.id, job=run.plan.job, cloud=NAME, state=state, started_at=run.started_at,
            ended_at=max(ends, default=self.demo.now) if over else None, counts=counts,
            starved_before=run.plan.forecast.starved_before, starved_after=None,
        )  # fmt: skip

    def _found_run(self, id: str) -> Run:
        if (run := next((run for run in self._all_runs() if run.id == id), None)) is None:
            raise NotFound(f'no run "{id}" of this day')
        return run

    def _told_run(self, id: str, action: str, why: str, by: By, tell: Callable[[Run], None]) -> m.Run:
        run = self._found_run(id)
        if run.finished:
            raise BadInput(f"{id} is over")
        tell(run)
        self._written(by, action, id, why)
        return self._run(run)

    def _lines(self, after: int) -> list[m.JournalLine]:
        return [
            m.JournalLine(
                n=n, at=e.at, run=e.run, operation=e.operation, subject=e.subject, step=e.step, state=e.state,
                text=e.text,
            )
            for n, e in enumerate(self.demo.journal[after:], after + 1)
        ]  # fmt: skip

    def _written(self, by: By, action: str, subject: str, why: str) -> None:
        self._changes.append(
            m.AuditLine(
                n=len(self._changes) + 1, at=datetime.now(UTC), by=by.user, via="api", address=by.address,
                action=action, cloud=NAME, subject=subject, why=why, outcome="done",
            )
        )  # fmt: skip

    def _known(self, cloud: str) -> None:
        if cloud != NAME:
            raise NotFound(f"the demo has one cloud, {NAME}")


def _key(change: Change) -> tuple[str, ...]:
    body = change.body
    if isinstance(body, m.Operation):
        return "operation", body.run, body.id
    return change.kind, getattr(body, "id", "") or getattr(body, "name", "")
