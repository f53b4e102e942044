"""A cloud and its balancer in virtual time: rounds, ticks, and a worker that may die in between."""

from copy import deepcopy
from datetime import datetime

from stage.api import Api, Killed
from stage.cast import Cast
from watari.act.journal import Entry, Run
from watari.app.loop import Balancer, balancer
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Faults
from watari.jobs import drain
from watari.jobs.balance import plan
from watari.jobs.drain import DrainRequest
from watari.model.compute import ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy

STEP_S = 15.0
LONGEST_RUN_S = 6 * 3600.0


class Stage:
    """`lines` is what happened since it was last taken, each line with the virtual clock's time."""

    def __init__(self, cast: Cast, policy: Policy, start: datetime, round_s: float) -> None:
        self.policy = policy
        self.round_s = round_s
        self.faults = Faults()
        self.demand = cast.scripted()
        self.cloud = SimCloud(cast.spec(), self.demand, start, step_s=STEP_S, faults=self.faults)
        self.api = Api(self.cloud, dict(cast.hosts))
        self.lines: list[str] = []
        self.plan: Plan | None = None
        self._saved: list[Run] = []  # what the journal holds: the runs as of its last entry
        self._waits: dict[str, str] = {}
        self.balancer = self._worker()

    @property
    def now_s(self) -> float:
        """Seconds since the story began."""
        return (self.cloud.now() - self.cloud.start).total_seconds()

    def take_lines(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def rounds(self, n: int) -> None:
        """Let the balancer look without acting."""
        for _ in range(n):
            self.cloud.advance(self.round_s)
            self._round(acting=False)

    def look_once(self) -> Plan:
        """A plan from one reading, without a memory of earlier ones, as a snapshot file gives it."""
        self.plan = plan(compute_snapshot(self.api, self.cloud, self.cloud), self.policy)
        return self.plan

    def look_to_drain(self, request: DrainRequest) -> Plan:
        """A plan that empties hosts, from one reading."""
        self.plan = drain.plan(compute_snapshot(self.api, self.cloud, self.cloud), self.policy, request)
        return self.plan

    def live(self, span_s: float) -> None:
        """The balancer's day: a round every `round_s`, a tick every step."""
        every = round(self.round_s / STEP_S)
        for step in range(round(span_s / STEP_S)):
            if step % every == 0:
                self._round(acting=True)
            self._tick()
            self.cloud.advance(STEP_S)

    def carry_out(self) -> None:
        """Ticks, without any further rounds, until the present plan is over."""
        assert self.plan is not None, "there is no plan; write `plan` or `rounds` before `apply`"
        self.balancer.executor.guard.hosts = self.api.inventory().hosts
        run = self.balancer.executor.submit(self.plan)
        self.balancer.executor.adopt(run)
        self.balancer.history.append(run)
        until_s = self.now_s + LONGEST_RUN_S
        while self.balancer.executor.runs and self.now_s < until_s:
            self._tick()
            self.cloud.advance(STEP_S)

    def set_demand(self, server: str, cores: float) -> None:
        self.demand.set(self.cloud.server_ids.index(ServerId(server)), cores)

    def delete(self, server: str) -> None:
        self.set_demand(server, 0.0)
        self.api.deleted.add(ServerId(server))

    def say(self, text: str) -> None:
        self.lines.append(f"{self.cloud.now():%H:%M:%S} {text}")

    def _worker(self) -> Balancer:
        made = balancer(self.api, self.cloud, self.cloud, self.policy, [])
        made.executor.journal = self._journal
        return made

    def _round(self, *, acting: bool) -> None:
        skipped = self.balancer.skipped
        self.balancer.acting = acting
        self.plan = self.balancer.round(always_plan=not acting)
        if self.balancer.skipped > skipped:
            self.say("no round: the cloud does not answer")

    def _tick(self) -> None:
        try:
            self.balancer.tick()
        except Killed:
            self.say("the worker is killed; the next one reads the journal")
            self.balancer = self._worker()
            self.balancer.executor.runs = deepcopy(self._saved)
            self.balancer.executor.guard.hosts = self.api.claims
            self.balancer.history = list(self.balancer.executor.runs)
        self._tell_waits()

    def _journal(self, entry: Entry) -> None:
        self._saved = deepcopy(self.balancer.executor.runs)
        self._waits.pop(entry.subject, None)
        note = f" ({entry.text})" if entry.text else ""
        self.lines.append(f"{entry.at:%H:%M:%S} {entry.subject} {entry.step}: {entry.state}{note}")

    def _tell_waits(self) -> None:
        records = [record for run in self.balancer.executor.runs for record in run.operations]
        for record in records:
            name = record.operation.name
            if record.state == "pending" and record.waits and self._waits.get(name) != record.waits:
                self._waits[name] = record.waits
                self.say(f"{name} waits: {record.waits}")
