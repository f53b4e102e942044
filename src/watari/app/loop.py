"""The balancer as a loop: observe, measure, remember, plan, act; round by round, in whatever time the clock keeps."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from watari.act.guard import Guard, foreign
from watari.act.handlers import handlers
from watari.act.journal import Entry, Run
from watari.act.virtual import VirtualExecutor
from watari.app.measuring import Measuring
from watari.app.own import heeded, with_own
from watari.errors import Transient
from watari.jobs.balance import Memory, needs_help, plan, remember
from watari.model.compute import ComputeSnapshot
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy
from watari.ports import Clock, Compute, Meter

SETTLE_S = 60.0  # a simulated meter's window: so long after a move it is measured what it brought
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
    agrees: Callable[[Plan], bool] = lambda plan: True  # whether a plan begins by itself

    def round(self, *, always_plan: bool = False) -> Plan | None:
        """Observe and, if somebody needs help (or `always_plan`), plan and submit. None: nothing was planned."""
        try:
            raw = compute_snapshot(self.compute, self.meter, self.clock)
        except Transient:  # nothing new starts on a plan of before the cloud fell silent
            self.skipped += 1
            self.executor.drop_waiting()
            return None
        self.measuring.look(raw, self.policy.detect, self.executor.journal)
        recalled = replace(raw, past=tuple(self.measuring.recalled(heeded(raw, self.policy))))
        records = [o for run in self.history[-RECENT_RUNS:] for o in run.operations]
        self.snapshot = snapshot = with_own(recalled, records, self.policy)
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
        if self.plan.operations and self.acting and self.agrees(self.plan):
            self.begin(self.plan)
        return self.plan

    def begin(self, plan: Plan) -> None:
        """Carry a plan out that was made on the last snapshot."""
        assert self.snapshot is not None, "a plan was made"
        self.history.append(self.executor.submit(plan))
        self.measuring.begin(self.history[-1], self.snapshot)

    def tick(self) -> None:
        """Advance what is under way and start what the guard lets start."""
        self.executor.tick()

    @property
    def now(self) -> datetime:
        return self.clock.now()


def balancer(compute: Compute, meter: Meter, clock: Clock, policy: Policy, journal: list[Entry]) -> Balancer:
    """A balancer with the virtual-time executor."""
    executor = VirtualExecutor(handlers(compute), Guard(policy, {}), clock, journal.append)
    return Balancer(compute, meter, clock, policy, executor)
