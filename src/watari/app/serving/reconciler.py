"""One controller's work on one cloud: look, remember, plan, propose, and begin what is approved."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

from watari.act.durable.leading import Place
from watari.act.durable.proposals import Proposal
from watari.act.durable.records import RunRow, list_runs, load_run, plan_of, refresh
from watari.act.durable.replanning import drop_waiting
from watari.act.durable.stops import stop_of
from watari.act.durable.store import Store
from watari.act.guard import Guard, Wait, foreign
from watari.act.journal import OperationRecord, Run
from watari.app import runs
from watari.app.benefit import note_before
from watari.app.clouds import Cloud
from watari.app.own import with_own
from watari.app.serving.keeping import from_bytes, to_bytes
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.standing import Standing
from watari.errors import Stale, Transient, WatariError
from watari.jobs.balance import Memory, needs_help, plan, remember
from watari.jobs.balance.compose import JOB
from watari.jobs.placement.memory import after_gap
from watari.model.compute import ComputeSnapshot
from watari.model.reasons import Finding
from watari.plan.plan import Plan
from watari.plan.steps import Detach
from watari.plan.text import count
from watari.policy.values import Mode, Policy

log = logging.getLogger(__name__)
RECENT_RUNS: Final = 60
GAP_LOOKS: Final = 3.0  # so many looks missed, and no threshold has held on
KEEP_S: Final = 300.0  # between two times that the memory is kept
AGAIN_S: Final = 10.0  # between two tries to begin what the cloud gave no answer for
MOST_FINDINGS: Final = 200

Begin = Callable[[str], None]


@dataclass(slots=True)
class Look:
    """What one look at a cloud found, and what is done about it; kept as JSON for people and programs.

    `trouble`: why nothing could be decided. `measured` servers of `servers` have a load. `cpu_s` is this thread's.
    """

    at: str
    mode: Mode
    policy: str
    every_s: float
    hosts: int = 0
    servers: int = 0
    measured: int = 0
    starved: int | None = None
    doing: str = ""
    trouble: str = ""
    took_s: float = 0.0
    cpu_s: float = 0.0
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class Reconciler:
    """Keeps one cloud as its policy wants it. `begin` makes the workers take a run up."""

    place: Place
    cloud: Cloud
    policy: PolicyFile
    begin: Begin
    memory: Memory | None = None
    standing: Standing = field(init=False)
    _runs: dict[str, tuple[Run, float]] = field(default_factory=dict)  # recent ones, and the newest change seen
    _snapshot: ComputeSnapshot | None = None
    _left_out: tuple[Finding, ...] = ()
    _kept_at: float = float("-inf")
    _again_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.standing = Standing(self.place, JOB)

    @property
    def store(self) -> Store:
        return self.place.store

    def recall(self) -> None:
        """Go on with what the last controller of this cloud remembered."""
        kept = self.place.memory()
        try:
            self.memory = from_bytes(kept) if kept is not None else None
        except ValueError as e:
            log.warning("what was learned of %s cannot be read, it is learned anew: %s", self.cloud.name, e)

    def look(self) -> Look:
        """One cycle. What keeps the cloud from being read is told in the answer; raises what the database says."""
        begun, cpu = time.perf_counter(), time.thread_time()
        self.policy.look()
        policy = self.policy.policy
        look = Look(self.cloud.clock.now().isoformat(), policy.serve.balance, policy.name, policy.serve.every_s)
        snapshot = None if look.mode == "off" else self._read(policy, look)
        if snapshot is not None:
            self._decide(snapshot, policy, look)
        elif look.mode == "off":
            self._let_go("serve.balance is off now")
            look.doing = self.standing.meet(None, "off", self.policy.text, self.cloud.clock.now())
        look.findings = (*self.policy.findings(), *look.findings)[:MOST_FINDINGS]
        look.took_s, look.cpu_s = round(time.perf_counter() - begun, 4), round(time.thread_time() - cpu, 4)
        self.place.keep(asdict(look), self._to_keep())
        return look

    def begin_approved(self) -> list[str]:
        """Begin what is approved, unless the stop switch is set; returns the runs that have begun."""
        out: list[str] = []
        if time.monotonic() < self._again_at:
            return out
        for one in self.standing.approved():
            try:
                if (run := self._begun(one)) is not None:
                    out.append(run)
            except Transient as e:
                log.warning("%s waits: %s", one.id, e)
                self._again_at = time.monotonic() + AGAIN_S
        return out

    def keep_memory(self) -> None:
        """Keep what is remembered now: the process ends."""
        if self.memory is not None:
            self.place.keep_memory(to_bytes(self.memory))

    def _read(self, policy: Policy, look: Look) -> ComputeSnapshot | None:
        """The cloud as it is, with our own requests; None, and the trouble in `look`, when it does not say.

        Then nothing begins any more on a plan of before it fell silent.
        """
        try:
            snapshot = self.cloud.snapshot()
            self._left_out = self.cloud.left_out()
            look.findings = (*self._left_out, *self.cloud.missing(), *self.cloud.about_networks())
        except WatariError as e:
            look.trouble = f"no decision: {e}"
            self._let_go("planned anew once the cloud answers")
            return None
        except Exception as e:
            log.exception("reading %s", self.cloud.name)
            look.trouble = f"no decision: {type(e).__name__}: {e}; this is a bug"
            self._let_go("planned anew once the cloud can be read")
            return None
        return with_own(snapshot, self._records(), policy)

    def _decide(self, snapshot: ComputeSnapshot, policy: Policy, look: Look) -> None:
        self.memory = remember(self._rested(snapshot.taken_at, policy), snapshot, policy)
        self._snapshot = snapshot
        readings = self.memory.readings
        starved = readings.known & policy.detect.starved(readings.steal, readings.load)
        look.hosts, look.servers = len(snapshot.hosts), len(snapshot.servers)
        look.measured, look.starved = int(readings.known.sum()), int(starved.sum())
        if look.servers and not look.measured:
            look.trouble = "no decision: nobody's load is known"
        made = None
        if look.mode != "observe" and needs_help(self.memory, snapshot, policy):
            made = plan(snapshot, policy, self.memory)
            look.findings = (*look.findings, *made.findings)
        look.doing = self._answer(made, snapshot, policy, look)
        if not look.doing and made is not None and made.refusals:
            first = made.refusals[0]
            look.doing = f"no move helps: {count(len(made.refusals), 'refusal')}, such as {first.label}: {first.why}"

    def _answer(self, made: Plan | None, snapshot: ComputeSnapshot, policy: Policy, look: Look) -> str:
        """What is done about the plan."""
        now, mode = self.cloud.clock.now(), look.mode
        open_ = [row for row in list_runs(self.store, only_open=True, cloud=self.cloud.name) if row.goes_on]
        if mode != "automatic":
            self._let_go(f"serve.{JOB} is {mode} now")
            if mode in ("suggest", "approve") and open_ and made is not None and made.operations:
                return f"{open_[0].id} is {open_[0].state}: planned anew when it is over"
            return self.standing.meet(made, mode, self.policy.text, now)
        if made is None or not made.operations:
            self._let_go("no server needs it any more")
            return self.standing.meet(None, mode, self.policy.text, now)
        waiting = self._waiting()
        if open_ and waiting == {(o.subject, o.target) for o in made.operations}:
            return f"{open_[0].id} is {open_[0].state}"
        self._let_go("a newer plan takes its place")
        if why := self._hold(made, snapshot, policy, now):
            return why
        return self.standing.meet(made, mode, self.policy.text, now)

    def _hold(self, made: Plan, snapshot: ComputeSnapshot, policy: Policy, now: datetime) -> str:
        """Why nothing of a plan may begin by itself just now; empty: something may."""
        if (stop := stop_of(self.store, self.cloud.name)) is not None:
            return f"nothing: stopped: {stop}"
        records = self._records()
        ours = {r.step.member for o in records if o.under_way for r in o.steps if isinstance(r.step, Detach)}
        if out := [f.subject for f in self._left_out if f.subject not in ours]:
            return f"nothing: {', '.join(out[:5])} out of service; put back first (watari members attach)"
        begun = {o.operation.subject for o in records if o.under_way} & {o.subject for o in made.operations}
        if begun - {flight.server for flight in snapshot.flights}:
            return "nothing yet: what it wants has just begun to move"
        guard, busy = Guard(policy, snapshot.hosts), foreign(snapshot.flights, (), snapshot.hosts)
        verdicts = [guard.may_start(o, busy, now) for o in made.operations if not o.waits_for]
        waits = [v.why for v in verdicts if isinstance(v, Wait)]
        return f"waits: {waits[0]}" if verdicts and len(waits) == len(verdicts) else ""

    def _begun(self, one: Proposal) -> str | None:
        now = self.cloud.clock.now()
        if earlier := list_runs(self.store, plan=one.id):  # begun, and died before it was noted
            self.standing.settle(one, "begun", "", now, earlier[-1].id)
            return None
        if now > one.expires_at:
            self.standing.settle(one, "expired", "approved, and it could not begin in time", now)
            return None
        if stop_of(self.store, self.cloud.name) is not None:
            return None
        made = plan_of(self.store, one.id)
        try:
            run, new = runs.begin(self.store, made, self.cloud, one.policy, one.starved)
        except Stale as e:
            self.standing.settle(one, "stale", str(e), now)
            return None
        if new:
            note_before(self.store, run, made, self.cloud, self._snapshot)
        self.standing.settle(one, "begun", "", now, run)
        self.begin(run)
        return run

    def _rested(self, at: datetime, policy: Policy) -> Memory | None:
        """The memory, without what cannot have held on because nobody looked, or because the clock was set."""
        memory = self.memory
        if memory is None:
            return None
        gap_s = (at - memory.at).total_seconds()
        return memory if 0 <= gap_s <= GAP_LOOKS * policy.serve.every_s else after_gap(memory)

    def _records(self) -> list[OperationRecord]:
        """Operations of this cloud that go on, or were over a short while ago."""
        since = self.cloud.clock.now() - timedelta(seconds=self.policy.policy.calm.failed_cool_down_s)
        rows = list_runs(self.store, cloud=self.cloud.name, limit=RECENT_RUNS)
        recent = [row for row in rows if row.ended_at is None or row.ended_at > since]
        self._runs = {row.id: self._loaded(row) for row in recent}
        return [o for run, _ in self._runs.values() for o in run.operations]

    def _loaded(self, row: RunRow) -> tuple[Run, float]:
        run, seen = self._runs.get(row.id) or (load_run(self.store, row.id), 0.0)
        return run, refresh(self.store, run, seen) if not run.finished else seen

    def _automatic(self) -> list[Run]:
        """Runs that go on and that nobody approved but the policy."""
        self._records()
        modes = self.standing.modes(self._runs)
        return [run for id, (run, _) in self._runs.items() if modes.get(id) == "automatic" and not run.finished]

    def _waiting(self) -> set[tuple[str, str]]:
        return {
            (o.operation.subject, o.operation.target)
            for run in self._automatic() for o in run.operations if o.state == "pending" and not o.begun
        }  # fmt: skip

    def _let_go(self, why: str) -> None:
        """Forget what has not begun of automatic runs: what is needed is planned anew, on fresher data."""
        executor = self.place.lease.executor
        for run in self._automatic():
            if any(o.state == "pending" for o in run.operations):
                drop_waiting(self.store, run.plan, run.id, self.cloud.name, why, self.cloud.clock.now(), executor)

    def _to_keep(self) -> bytes | None:
        if self.memory is None or time.monotonic() - self._kept_at < KEEP_S:
            return None
        self._kept_at = time.monotonic()
        return to_bytes(self.memory)
