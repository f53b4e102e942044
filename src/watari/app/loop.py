"""The balancer as a loop: observe, measure, remember, plan, act; round by round, in whatever time the clock keeps."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watari.act.guard import Guard, foreign
from watari.act.handlers import handlers
from watari.act.journal import Entry, Run
from watari.act.virtual import VirtualExecutor
from watari.app.measuring import Measuring
from watari.errors import Transient
from watari.jobs.balance import Memory, needs_help, plan, remember
from watari.model.compute import ComputeSnapshot, Flight, PastMove
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.plan.steps import MOVES
from watari.policy.values import Policy
from watari.ports import Clock, Compute, Meter

SETTLE_S = 60.0  # a simulated meter's window: so long after a move it is measured what it brought
SETTLED_S = 600.0  # longer than any window of a meter
RECENT_RUNS = 60  # runs, one a round at most, that are looked through for requests without an answer


@dataclass(slots=True)
class Balancer:
    """Keeps one cloud balanced. What did not start by the next round is planned anew, on fresher data.

    `history` holds every operation record that ever started; `measuring` what moves brought; `skipped` counts rounds in
    which the cloud did not answer.
    """

    compute: Compute
    meter: Meter
    clock: Clock
    policy: Policy
    executor: VirtualExecutor
    memory: Memory | None = None
    plan: Plan | None = None
    snapshot: ComputeSnapshot | None = None
    history: list[Run] = field(default_factory=list)
    measuring: Measuring = field(default_factory=lambda: Measuring(SETTLE_S))
    skipped: int = 0
    acting: bool = True

    def round(self, *, always_plan: bool = False) -> Plan | None:
        """Observe and, if somebody needs help (or `always_plan`), plan and submit. None: nothing was planned."""
        try:
            raw = compute_snapshot(self.compute, self.meter, self.clock)
        except Transient:  # nothing new starts on a plan of before the cloud fell silent
            self.skipped += 1
            self.executor.drop_waiting()
            return None
        self.measuring.look(raw, self.policy.detect, self.executor.journal)
        self.snapshot = snapshot = self._with_own(raw)
        self.executor.guard.hosts = snapshot.hosts
        others = foreign(raw.flights, self.executor.under_way(), raw.hosts)
        self.executor.others = lambda: others
        self.memory = remember(self.memory, snapshot, self.policy)
        self.executor.drop_waiting()
        self.measuring.forget_waiting()
        if self.history and not self.history[-1].operations:
            self.history.pop()  # nothing of it ever started
        if not always_plan and not needs_help(self.memory, snapshot, self.policy):
            self.plan = None
            return None
        self.plan = plan(snapshot, self.policy, self.memory)
        if self.plan.operations and self.acting:
            self.history.append(self.executor.submit(self.plan))
            self.measuring.begin(self.history[-1], snapshot)
        return self.plan

    def tick(self) -> None:
        """Advance what is under way and start what the guard lets start."""
        self.executor.tick()

    def _with_own(self, snapshot: ComputeSnapshot) -> ComputeSnapshot:
        """The snapshot with what the cloud does not record: requests without an answer yet, refused ones, benefits.

        The first are as good as under way, so that no plan moves the server elsewhere meanwhile; the second count as
        failed moves, so that the same is not asked for again in every round.
        """
        flying = {flight.server for flight in snapshot.flights}
        since = snapshot.taken_at - timedelta(seconds=self.policy.calm.failed_cool_down_s)
        calm = self.policy.calm
        rests_s = max(calm.cool_down_s, calm.failed_cool_down_s, calm.no_help_cool_down_s)
        longest_s = max(rests_s, calm.no_return_s, calm.cycle_window_s, SETTLED_S)
        heed = snapshot.taken_at - timedelta(seconds=longest_s)  # no rule looks further back
        flights, past = list(snapshot.flights), self.measuring.recalled(m for m in snapshot.past if m.ended > heed)
        recent = self.history[-RECENT_RUNS:]
        for r in (r for run in recent for o in run.operations for r in o.steps if r.handle is None):
            step = r.step
            if not isinstance(step, MOVES):
                continue
            server = snapshot.servers.get(step.server)
            if r.state in ("intended", "pending") and r.asked_at and server and server.host == step.source:
                if server.id not in flying:
                    flights.append(Flight(step.server, step.source, step.target, r.asked_at))
            elif r.state == "failed" and r.ended_at and r.ended_at > since:
                past.append(PastMove(step.server, step.source, step.target, r.ended_at, done=False))
        flying |= {flight.server for flight in flights}
        for record in (o for run in recent for o in run.operations if o.under_way):
            moving = record.moving  # its server leaves its orchestrators just now: it moves as soon as it is empty
            if moving is not None and moving.state == "pending" and isinstance(step := moving.step, MOVES):
                since_ = next((r.asked_at for r in record.steps if r.asked_at), snapshot.taken_at)
                if step.server not in flying and step.server in snapshot.servers:
                    flights.append(Flight(step.server, step.source, step.target, since_))
        return replace(snapshot, flights=tuple(flights), past=tuple(past))

    @property
    def now(self) -> datetime:
        return self.clock.now()


def balancer(compute: Compute, meter: Meter, clock: Clock, policy: Policy, journal: list[Entry]) -> Balancer:
    """A balancer with the virtual-time executor."""
    executor = VirtualExecutor(handlers(compute), Guard(policy, {}), clock, journal.append)
    return Balancer(compute, meter, clock, policy, executor)
