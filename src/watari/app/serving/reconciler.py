"""One controller's work on one cloud: look, remember, plan, propose, and begin what is approved."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from opentelemetry import trace

from watari.act.durable.leading import Place
from watari.act.durable.lease import Lost
from watari.act.durable.proposals import ASKED, Proposal
from watari.act.durable.records import list_runs, plan_of
from watari.act.durable.stops import stop_of
from watari.act.durable.store import Store
from watari.act.guard import Guard, Wait, foreign
from watari.app import runs
from watari.app.benefit import note_before
from watari.app.clouds import Cloud
from watari.app.history.recorder import Recorder
from watari.app.own import with_own
from watari.app.serving.keeping import from_bytes, to_bytes
from watari.app.serving.own_runs import OwnRuns
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.standing import NOT_NEEDED, Answer, Standing
from watari.errors import Transient, WatariError
from watari.jobs.balance import Memory, needs_help, plan, remember
from watari.jobs.balance.compose import JOB
from watari.jobs.placement.detect import BLIND_SHARE
from watari.jobs.placement.memory import after_gap
from watari.jobs.placement.world import NOT_RUNNING
from watari.model.compute import ComputeSnapshot
from watari.model.reasons import Finding
from watari.plan.plan import Plan
from watari.plan.steps import Detach
from watari.plan.text import count, format_duration
from watari.policy.values import Mode, Policy

log = logging.getLogger(__name__)
TRACER: Final = trace.get_tracer("watari")
GAP_LOOKS: Final = 3.0  # so many looks missed, and no threshold has held on
KEEP_S: Final = 300.0  # between two times that the memory is kept
AGAIN_S: Final = 10.0  # between two tries to begin what the cloud gave no answer for
MOST_FINDINGS: Final = 200


@dataclass(slots=True)
class Look:
    """What one look at a cloud found, and what is done about it; kept as JSON for people and programs.

    `trouble`: why nothing could be decided. `measured` servers of the `servers` that run have a load. `cpu_s` is this
    thread's.
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
    begin: Callable[[str], None]
    memory: Memory | None = None
    snapshot: ComputeSnapshot | None = None  # of the last look at which the cloud answered
    made: Plan | None = None  # what was planned on it, if anybody needed help
    trouble: str = ""  # why the last look decided nothing
    besides: Callable[[], tuple[Finding, ...]] = tuple  # what others of this process have found
    standing: Standing = field(init=False)
    own: OwnRuns = field(init=False)
    history: Recorder = field(init=False)
    _decided: str = ""  # the automatic proposal that the last look stands for
    _left_out: tuple[Finding, ...] = ()
    _unrecorded: str = ""  # why the last look is not in the history
    _took_s: float = 0.0
    _kept_at: float = float("-inf")
    _again_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.standing = Standing(self.place, JOB)
        self.own = OwnRuns(self.place, self.standing, self.cloud.clock)
        self.history = Recorder(self.place)

    @property
    def store(self) -> Store:
        return self.place.store

    def recall(self) -> None:
        """Go on with what the last controller of this cloud remembered."""
        self.history.begin_anew()
        kept = self.place.memory()
        try:
            self.memory = from_bytes(kept) if kept is not None else None
        except ValueError as e:
            log.warning("what was learned of %s cannot be read, it is learned anew: %s", self.cloud.name, e)

    def look(self) -> Look:
        """One cycle, as a span for those who collect traces; see `_look`."""
        with TRACER.start_as_current_span("look") as span:
            look = self._look()
            span.set_attributes(
                {"watari.cloud": self.cloud.name, "watari.mode": look.mode, "watari.servers": look.servers}
            )
            if look.trouble:
                span.set_status(trace.StatusCode.ERROR, look.trouble)
        return look

    def _look(self) -> Look:
        """One cycle. What keeps the cloud from being read is told in the answer; raises what the database says."""
        begun, cpu = time.perf_counter(), time.thread_time()
        self._decided, snapshot = "", None
        self.policy.look()
        policy = self.policy.policy
        look = Look(self.cloud.clock.now().isoformat(), policy.serve.balance, policy.name, policy.serve.every_s)
        self.own.read(policy.calm.failed_cool_down_s)
        self.standing.expire_asked(self.cloud.clock.now())
        if look.mode != "automatic":  # before anything is asked of the cloud: it may be long in answering
            self._take_back(f"serve.{JOB} is {look.mode} now")
        if look.mode == "off":
            self.standing.meet(None, "off", self.policy.text, self.cloud.clock.now())
        elif (snapshot := self._read(look)) is not None:
            self._decide(snapshot, policy, look)
        if look.trouble:
            self._take_back("planned anew once it is known how the cloud is")
        self._took_s = time.perf_counter() - begun
        about = (*self.policy.findings(), *self.besides(), *self._slow(policy), *self._about_history())
        look.findings = (*about, *look.findings)[:MOST_FINDINGS]
        look.took_s, look.cpu_s = round(self._took_s, 4), round(time.thread_time() - cpu, 4)
        self.trouble = look.trouble
        self.place.keep(asdict(look))
        if time.monotonic() - self._kept_at >= KEEP_S:
            self.keep_memory()
        if snapshot is not None:
            self._record(policy)
        return look

    def begin_approved(self) -> list[str]:
        """Begin what is approved, unless the stop switch is set; returns the runs that have begun."""
        out: list[str] = []
        self.policy.look()  # a look may have been long
        if self.policy.settling or time.monotonic() < self._again_at:
            return out
        for one in self.standing.approved():
            try:
                if (run := self._begun(one)) is not None:
                    out.append(run)
            except Transient as e:
                log.warning("%s waits: %s", one.id, e)
                self._again_at = time.monotonic() + AGAIN_S
            except Exception:  # a bug in one of them keeps neither the others nor the looks
                log.exception("beginning %s", one.id)
                self._again_at = time.monotonic() + AGAIN_S
        return out

    def _at_work(self) -> set[str]:
        """What runs that go on have still to do something about."""
        self.own.read(0.0)
        return {o.operation.subject for o in self.own.records if not o.over}

    def withdraw_undecided(self) -> None:
        """What the policy approved and what could not begin at its look is decided anew at the next one."""
        self._decided = ""
        self.standing.withdraw_automatic("it could not begin at its look", self.cloud.clock.now())

    def keep_memory(self) -> None:
        """Keep what is remembered now."""
        if self.memory is not None:
            self.place.keep_memory(to_bytes(self.memory))
            self._kept_at = time.monotonic()

    def keep_history(self) -> None:
        """Write what was seen of the slot that is not over."""
        self.history.keep(self.policy.policy)

    def _record(self, policy: Policy) -> None:
        """Add the look to the history. Whatever goes wrong there keeps nobody from deciding; it is a finding."""
        if self.memory is None or self.snapshot is None or self.memory.at != self.snapshot.taken_at:
            return
        try:
            self.history.look(self.snapshot, self.memory.readings, policy)
            self._unrecorded = self.history.problem
        except Lost:
            raise
        except WatariError as e:
            self._unrecorded = str(e)
        except Exception as e:
            log.exception("keeping the history of %s", self.cloud.name)
            self._unrecorded = f"{type(e).__name__}: {e}; this is a bug"

    def _read(self, look: Look) -> ComputeSnapshot | None:
        """The cloud as it is; None, and the trouble in `look`, when it does not say."""
        try:
            snapshot = self.cloud.snapshot()
            self._left_out = self.cloud.left_out()
            look.findings = (*self.cloud.missing(), *self.cloud.about_networks())
            return snapshot
        except WatariError as e:
            look.trouble = f"no decision: {e}"
        except Exception as e:
            log.exception("reading %s", self.cloud.name)
            look.trouble = f"no decision: {type(e).__name__}: {e}; this is a bug"
        return None

    def _decide(self, read: ComputeSnapshot, policy: Policy, look: Look) -> None:
        """Remember, plan and answer. A bug is trouble like any other: nothing is decided."""
        records = self.own.read(policy.calm.failed_cool_down_s)
        snapshot = self.snapshot = with_own(read, records, policy)
        ours = {r.step.member for o in records if o.under_way for r in o.steps if isinstance(r.step, Detach)}
        self._left_out = tuple(f for f in self._left_out if f.subject not in ours)  # those are out for a reason
        look.findings = (*self._left_out, *look.findings)
        try:
            self.memory = remember(self._rested(snapshot.taken_at, policy), snapshot, policy)
            self._measure(self.memory, snapshot, policy, look)
            made = self.made = None
            if not look.trouble and look.mode != "observe" and needs_help(self.memory, snapshot, policy):
                made = self.made = plan(snapshot, policy, self.memory)
                look.findings = (*look.findings, *made.findings)
        except Exception as e:
            log.exception("planning for %s", self.cloud.name)
            look.trouble = f"no decision: {type(e).__name__}: {e}; this is a bug"
        if look.trouble:
            return
        answer = self._answer(made, snapshot, policy, look.mode)
        look.doing, self._decided = answer.text, answer.id if look.mode == "automatic" else ""
        if not look.doing and look.starved and made is not None and made.refusals:
            first = made.refusals[0]
            look.doing = f"no move helps: {count(len(made.refusals), 'refusal')}, such as {first.label}: {first.why}"

    def _measure(self, memory: Memory, snapshot: ComputeSnapshot, policy: Policy, look: Look) -> None:
        """Count who is known and who is starved; too few known is trouble, some unknown a finding."""
        readings = memory.readings
        runs_ = np.fromiter((s.status not in NOT_RUNNING for s in snapshot.servers.values()), np.bool_, len(memory.ids))
        starved = readings.known & policy.detect.starved(readings.steal, readings.load)
        look.hosts, look.servers = len(snapshot.hosts), int(runs_.sum())
        look.measured, look.starved = int((readings.known & runs_).sum()), int(starved.sum())
        unknown = look.servers - look.measured
        if not unknown:
            return
        text = f"{unknown} of {count(look.servers, 'server')} that run send no usable load"
        if unknown > BLIND_SHARE * look.servers:
            look.trouble, look.starved = f"no decision: {text}", None
        finding = Finding(
            self.cloud.name, "no-data", text, "warning", "They are not moved. Check the meter, watari plan."
        )
        look.findings = (*look.findings, finding)

    def _answer(
        self,
        made: Plan | None,
        snapshot: ComputeSnapshot,
        policy: Policy,
        mode: Mode,
    ) -> Answer:
        """What is done about the plan."""
        now, wanted = self.cloud.clock.now(), made if made is not None and made.operations else None
        if mode != "automatic":
            row = self.own.going_on()
            if wanted is not None and row is not None:
                return Answer(f"{row.id} is {row.state}: planned anew when it is over")
            return self.standing.meet(wanted, mode, self.policy.text, now, self._unknown())
        if wanted is None:
            self._take_back(NOT_NEEDED)
            return self.standing.meet(None, mode, self.policy.text, now)
        if why := self._held_up():
            self._take_back(why)
            return Answer(f"nothing: {why}")
        if (row := self.own.of_people()) is not None:
            self._take_back(f"{row.id} goes first")
            return Answer(f"{row.id} is {row.state}: planned anew when it is over")
        run, waiting = self.own.waiting(policy.digest)
        if waiting == {(o.subject, o.target) for o in wanted.operations}:
            return Answer(f"{run} goes on")
        self.own.let_go("a newer plan takes its place")
        if why := self._not_yet(wanted, snapshot, policy, now):
            self.standing.withdraw_automatic(why, now)
            return Answer(why)
        return self.standing.meet(wanted, mode, self.policy.text, now)

    def _unknown(self) -> frozenset[str]:
        """The ids of servers of which nothing is known just now."""
        if self.memory is None:
            return frozenset()
        return frozenset(self.memory.ids[i] for i in np.flatnonzero(~self.memory.readings.known).tolist())

    def _held_up(self) -> str:
        """Why nothing may begin by itself, whatever is wanted; empty: it may."""
        if (stop := stop_of(self.store, self.cloud.name)) is not None:
            return f"stopped: {stop}"
        out = [f.subject for f in self._left_out]
        return f"{', '.join(out[:5])} out of service; put back first (watari members attach)" if out else ""

    def _not_yet(self, wanted: Plan, snapshot: ComputeSnapshot, policy: Policy, now: datetime) -> str:
        """Why no run of a plan begins at this look; empty: it may."""
        records = self.own.read(policy.calm.failed_cool_down_s)
        begun = {o.operation.subject for o in records if o.under_way} & {o.subject for o in wanted.operations}
        if begun - {flight.server for flight in snapshot.flights}:
            return "nothing yet: what it wants has just begun to move"
        guard, busy = Guard(policy, snapshot.hosts), foreign(snapshot.flights, (), snapshot.hosts)
        verdicts = [guard.may_start(o, busy, now) for o in wanted.operations if not o.waits_for]
        waits = [v.why for v in verdicts if isinstance(v, Wait)]
        return f"waits: {waits[0]}" if verdicts and len(waits) == len(verdicts) else ""

    def _begun(self, one: Proposal) -> str | None:
        """Begin an approved proposal, once; None: not now, or not at all, which is noted then."""
        now, mode = self.cloud.clock.now(), self.policy.policy.serve.balance
        if earlier := list_runs(self.store, plan=one.id):  # somebody saved the plan and applied it
            self.standing.conclude(one, "begun", one.why, now, earlier[-1].id)
            return None
        fresh = one.id == self._decided and one.policy[0] == self.policy.text[0]
        if one.mode == "automatic" and not fresh:  # of an earlier look: the next one decides anew
            return None
        if one.mode != ASKED and mode not in ("approve", "automatic"):
            self.standing.conclude(one, "replaced", f"serve.{one.job} is {mode} now", now)
            return None
        if now > one.expires_at:
            self.standing.conclude(one, "expired", "approved, and it could not begin in time", now)
            return None
        if stop_of(self.store, self.cloud.name) is not None:
            return None
        if one.subjects & self._at_work():  # it waits for what goes on with one of its own
            return None
        try:
            made = plan_of(self.store, one.id)
            runs.check(made, self.cloud)
        except Transient:
            raise
        except WatariError as e:  # the cloud is no longer what the plan saw, or does not let us
            self.standing.conclude(one, "stale", str(e), now)
            return None
        if (run := self.standing.begin(one, made, now)) is None:  # a person took the approval back meanwhile
            return None
        note_before(self.store, run, made, self.cloud, self.snapshot)
        self.begin(run)
        return run

    def _take_back(self, why: str) -> None:
        """What the policy alone wanted and what has not begun is forgotten."""
        self.own.let_go(why)
        self.standing.withdraw_automatic(why, self.cloud.clock.now())

    def _rested(self, at: datetime, policy: Policy) -> Memory | None:
        """The memory, without what cannot have held on because nobody looked, or because the clock was set."""
        memory = self.memory
        if memory is None:
            return None
        gap_s = (at - memory.at).total_seconds()
        return memory if 0 <= gap_s <= GAP_LOOKS * max(policy.serve.every_s, self._took_s) else after_gap(memory)

    def _about_history(self) -> tuple[Finding, ...]:
        if not self._unrecorded:
            return ()
        text, cure = f"the history is not kept: {self._unrecorded}", "Mend that, or set serve.history to none."
        return (Finding(self.cloud.name, "history-not-kept", text, "warning", cure),)

    def _slow(self, policy: Policy) -> tuple[Finding, ...]:
        if self._took_s <= policy.serve.every_s:
            return ()
        text = f"a look takes {format_duration(self._took_s)}, more than serve.every allows"
        return (Finding(self.cloud.name, "slow-looks", text, "warning", "Set serve.every higher, or see who is slow."),)
