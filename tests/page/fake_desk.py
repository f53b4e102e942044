"""A desk in memory: a cloud whose plans and runs go on when the test says so. Only this is fake; the API is real."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from page import plans as make
from page import progress
from page.findings import FINDINGS
from unit.web.fake_feed import DAY, FakeFeed
from watari.errors import BadInput, NotFound
from watari.plan.codec import plan_to_dict
from watari.plan.plan import Plan
from watari.plan.render import render
from watari.web.api import models as m
from watari.web.api.desk import By, Change
from watari.web.api.paging import page_of
from watari.web.hub import Hub

OPEN = ("running", "cancelling", "stopped")


@dataclass
class FakeDesk:
    """`tokyo-1` with everything; with `several` also `osaka-2`, that nobody draws and that is in trouble."""

    feed: FakeFeed = field(default_factory=FakeFeed)
    several: bool = False
    busy: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._hub = Hub(self.feed.details)
        self._hub.publish_state(self.feed.state())
        self._stop: dict[str, m.Stop] = {}
        self._changed: list[Change] = []
        self._whole: dict[str, Plan] = {}
        self._plans: dict[str, m.Plan] = {}
        self._runs: dict[str, m.Run] = {}
        self._operations: dict[str, dict[str, m.Operation]] = {}
        self._journal: list[m.JournalLine] = []
        self.proposed: list[m.BalanceRequest | m.DrainRequest] = []
        self.trouble = ""
        if self.busy:
            self._fill()

    @property
    def now(self) -> datetime:
        return DAY + timedelta(seconds=self.feed.at_s)

    def _fill(self) -> None:
        def ago(seconds: float) -> datetime:
            return self.now - timedelta(seconds=seconds)

        self.add(
            make.balance(self.feed, "p-5a1c0031", ago(90_000)),
            "rejected",
            decided_by="m.sato",
            why="not during the sale",
        )
        self.add(
            make.balance(self.feed, "p-4d09e2b7", ago(8000)), "replaced", why="another plan wants other servers moved"
        )
        self.add(
            make.balance(self.feed, "p-77aa0417", ago(700)),
            "begun",
            decided_by="m.sato",
            decided_at=ago(652),
            run="r-0772c0de",
        )
        self.add(make.drain(self.feed, "p-dd5e0419", ago(240), "az2-h04"), "waiting")
        self.add(make.balance(self.feed, "p-3f9a0418", ago(40), cold=1), "waiting")
        self.begin("r-0701beef", "p-4d09e2b7", progress.of_plan(self._whole["p-4d09e2b7"], "r-0701beef"), ago(7900))
        late = 7900
        while self._runs["r-0701beef"].ended_at is None:
            late -= 12
            self._further("r-0701beef", 12.0, ago(late))
        self.begin("r-0772c0de", "p-77aa0417", progress.story(self.feed, "r-0772c0de", self.now), ago(640))
        self._changed.clear()

    # What a test tells it ---------------------------------------------------------------------------------------------

    def add(self, plan: Plan, state: m.PlanState, **more: object) -> None:
        self._whole[plan.id] = plan
        known: dict[str, object] = {
            "id": plan.id,
            "cloud": plan.cloud,
            "job": plan.job,
            "mode": "approve" if plan.job == "balance" else "asked",
            "state": state,
            "why": "",
            "made_at": plan.made_at,
            "expires_at": plan.expires_at,
            "operations": len(plan.operations),
            "starved": plan.forecast.starved_before,
            "decided_by": "",
            "decided_at": None,
            "run": None,
        }
        if state in ("rejected",):
            known["decided_at"] = plan.made_at
        self._set_plan(m.Plan.model_validate(known | more))

    def begin(self, run: str, plan: str, operations: Sequence[m.Operation], at: datetime) -> None:
        whole = self._whole[plan]
        self._operations[run] = {op.id: op for op in operations}
        for op in operations:
            for one in op.steps:
                if one.begun_at:
                    self._write(run, op, one, "intended", one.begun_at, "asked" if "migrate" in one.what else "")
                if one.ended_at:
                    self._write(run, op, one, one.state, one.ended_at, one.note)
        self._journal.sort(key=lambda line: line.at)
        self._journal = [line.model_copy(update={"n": n}) for n, line in enumerate(self._journal, 1)]
        self._set_run(
            m.Run(
                id=run,
                plan=plan,
                job=whole.job,
                cloud="tokyo-1",
                state="running",
                started_at=at,
                ended_at=None,
                counts=self._counts(run),
                starved_before=whole.forecast.starved_before,
                starved_after=None,
            )
        )

    def advance(self, seconds: float = 1.0) -> None:
        """Time goes by: moves go on, approved plans begin, their operations one after the other."""
        with self.lock:
            self._hub.publish_tick(self.feed.tick(seconds))
            for plan in list(self._plans.values()):
                if plan.state == "approved" and not self._stop:
                    run = plan.id.replace("p-", "r-")
                    self.begin(run, plan.id, progress.of_plan(self._whole[plan.id], run), self.now)
                    self._set_plan(plan.model_copy(update={"state": "begun", "run": run}))
            for run in [one.id for one in self._runs.values() if one.state in ("running", "cancelling")]:
                self._further(run, seconds, self.now)

    def note(self, run: str, lines: int) -> None:
        """So many more lines of a run's journal."""
        with self.lock:
            op = next(iter(self._operations[run].values()))
            for n in range(lines):
                self._write(run, op, op.steps[0], "running", self.now, f"line {n} of {lines}")

    def fail(self, trouble: str) -> None:
        with self.lock:
            self.trouble = trouble
            self._tell_cloud()

    # The desk ---------------------------------------------------------------------------------------------------------

    def clouds(self) -> Sequence[m.Cloud]:
        with self.lock:
            tokyo = m.Cloud(
                name="tokyo-1",
                controller="watari@ctl1:4711",
                mode="approve",
                policy="prod.yaml",
                every_s=60.0,
                looked_s=8.0,
                hosts=len(self.feed.hosts),
                servers=len(self.feed.vcpu),
                measured=len(self.feed.vcpu) - 21,
                starved=len(self.feed.state()["starved"]),
                doing="acts once a person approves",
                trouble=self.trouble,
                findings=len(FINDINGS),
                stop=self._stop.get("tokyo-1") or self._stop.get(""),
            )
            osaka = m.Cloud(
                name="osaka-2",
                controller="",
                mode="suggest",
                policy="",
                every_s=None,
                looked_s=None,
                hosts=None,
                servers=None,
                measured=None,
                starved=None,
                doing="",
                trouble="Prometheus does not answer: 503",
                findings=0,
                stop=self._stop.get(""),
            )
            return [tokyo, *([osaka] if self.several else [])]

    def findings(self, cloud: str) -> Sequence[m.Finding]:
        return FINDINGS if cloud == "tokyo-1" and self.busy else []

    def hub(self, cloud: str) -> Hub | None:
        return self._hub if cloud == "tokyo-1" else None

    def plans(self, cloud: str | None, states: Sequence[str], after: str | None, limit: int) -> m.Items[m.Plan]:
        found = [p for p in self._plans.values() if cloud in (None, p.cloud) and (not states or p.state in states)]
        return page_of(sorted(found, key=lambda p: p.made_at, reverse=True), after, limit)

    def plan(self, id: str) -> m.PlanDetails:
        plan = self._plan(id)
        whole = self._whole[id]
        return m.PlanDetails(**dict(plan), plan=plan_to_dict(whole), text=render(whole, verbose=True))

    def propose(self, wanted: m.PlanRequest, by: By) -> m.PlanDetails:
        self.proposed.append(wanted)
        if isinstance(wanted, m.DrainRequest):
            made = make.drain(self.feed, "p-0e3a77c1", self.now, wanted.hosts[0])
        else:
            made = make.balance(self.feed, "p-0e3a77c1", self.now, most=3)
        self.add(made, "waiting", mode="asked", why=wanted.why)
        return self.plan(made.id)

    def decide(self, id: str, approve: bool, why: str, by: By) -> m.Plan:
        with self.lock:
            plan = self._plan(id)
            if plan.state not in ("waiting", "suggested", "approved"):
                raise BadInput(
                    f"{id} is {plan.state} already, by {plan.decided_by or 'nobody'}: nothing can be decided on it"
                )
            state: m.PlanState = "approved" if approve else "rejected"
            change = {"state": state, "decided_by": by.user, "decided_at": self.now, "why": why}
            self._set_plan(plan.model_copy(update=change))
            return self._plans[id]

    def runs(self, cloud: str | None, only_open: bool, after: str | None, limit: int) -> m.Items[m.Run]:
        found = [r for r in self._runs.values() if cloud in (None, r.cloud) and (not only_open or r.state in OPEN)]
        return page_of(sorted(found, key=lambda r: r.started_at, reverse=True), after, limit)

    def run(self, id: str) -> m.RunDetails:
        with self.lock:
            return m.RunDetails(**dict(self._run(id)), operations=list(self._operations[id].values()))

    def journal(self, run: str, after: int, limit: int) -> m.Items[m.JournalLine]:
        with self.lock:
            found = [line for line in self._journal if line.run == run and line.n > after]
        return m.Items(items=found[:limit], next=str(found[limit - 1].n) if len(found) > limit else None)

    def stop_run(self, id: str, why: str, by: By) -> m.Run:
        return self._become(id, "stopped")

    def resume_run(self, id: str, why: str, by: By) -> m.Run:
        return self._become(id, "running")

    def cancel_run(self, id: str, why: str, by: By) -> m.Run:
        return self._become(id, "cancelling")

    def undo_run(self, id: str, why: str, by: By) -> m.PlanDetails:
        self.add(
            make.balance(self.feed, "p-0bac0001", self.now, most=4),
            "waiting",
            mode="asked",
            why=why or f"takes {id} back",
        )
        return self.plan("p-0bac0001")

    def stops(self) -> Sequence[m.Stop]:
        return list(self._stop.values())

    def set_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        with self.lock:
            self._stop[cloud] = m.Stop(cloud=cloud, by=by.user, why=why, at=self.now)
            self._tell_cloud()
            return self._stop[cloud]

    def lift_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        with self.lock:
            if cloud not in self._stop:
                raise NotFound("no stop switch is set there")
            lifted = self._stop.pop(cloud)
            self._tell_cloud()
            return lifted

    def policy(self, ref: str) -> m.PolicyShown:
        raise NotFound("this desk has no policies")

    def policies(self) -> Sequence[str]:
        return []

    def snapshot(self, cloud: str) -> bytes | None:
        return None

    def histories(self) -> Sequence[m.History]:
        return []

    def forget(self, cloud: str, by: By) -> None:
        raise BadInput(f"{cloud} is looked after")

    def what_if(self, wanted: m.WhatIf) -> m.Played:
        raise BadInput("nothing is kept here")

    def audit(self, after: int | None, limit: int) -> m.Items[m.AuditLine]:
        return m.Items(items=[])

    def changes(self) -> Sequence[Change]:
        with self.lock:
            told, self._changed = self._changed, []
            return told

    # -----------------------------------------------------------------------------------------------------------------

    def _plan(self, id: str) -> m.Plan:
        if id not in self._plans:
            raise NotFound(f"there is no plan {id}: it was forgotten after a week, or never was")
        return self._plans[id]

    def _run(self, id: str) -> m.Run:
        if id not in self._runs:
            raise NotFound(f"there is no run {id}")
        return self._runs[id]

    def _set_plan(self, plan: m.Plan) -> None:
        self._plans[plan.id] = plan
        self._changed.append(Change("plan", plan, plan.cloud))

    def _set_run(self, run: m.Run) -> None:
        self._runs[run.id] = run
        self._changed.append(Change("run", run, run.cloud, run.id))

    def _tell_cloud(self) -> None:
        for cloud in self.clouds():
            self._changed.append(Change("cloud", cloud.model_copy(update={"looked_s": None}), cloud.name))

    def _become(self, id: str, state: m.RunState) -> m.Run:
        with self.lock:
            self._set_run(self._run(id).model_copy(update={"state": state}))
            return self._runs[id]

    def _counts(self, run: str) -> dict[m.OperationState, int]:
        counts: dict[m.OperationState, int] = {}
        for op in self._operations[run].values():
            counts[op.state] = counts.get(op.state, 0) + 1
        return counts

    def _further(self, run: str, seconds: float, now: datetime) -> None:
        going = sum(op.state == "running" for op in self._operations[run].values())
        for op in list(self._operations[run].values()):
            if self._runs[run].state == "cancelling":
                new = progress.aborted(op, now)
            else:
                may = going < 3 and not self._stop
                new = progress.further(op, now, seconds, may)
                going += op.state == "pending" and new.state == "running"
            if new != op:
                self._operations[run][op.id] = new
                self._changed.append(Change("operation", new, "tokyo-1", run))
                self._tell_steps(run, op, new, now)
        counts, state = self._counts(run), self._runs[run].state
        over = all(state in progress.DOWN for state in counts)
        end: m.RunState = "cancelled" if state == "cancelling" else "done" if set(counts) == {"done"} else "partly"
        change = {"counts": counts} | ({"state": end, "ended_at": now, "starved_after": 3} if over else {})
        if counts != self._runs[run].counts or over:
            self._set_run(self._runs[run].model_copy(update=change))

    def _tell_steps(self, run: str, old: m.Operation, new: m.Operation, now: datetime) -> None:
        for before, after in zip(old.steps, new.steps, strict=True):
            if before.state != after.state:
                line = self._write(run, new, after, after.state, now, after.note)
                self._changed.append(Change("journal", line, run=run))

    def _write(
        self, run: str, op: m.Operation, one: m.Step, state: m.OperationState, at: datetime, text: str
    ) -> m.JournalLine:
        line = m.JournalLine(
            n=len(self._journal) + 1,
            at=at,
            run=run,
            operation=op.id,
            subject=op.subject,
            step=one.what,
            state=state,
            text=text,
        )
        self._journal.append(line)
        return line
