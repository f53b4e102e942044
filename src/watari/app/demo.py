"""The embedded cloud lives through a day with the balancer on, beside a twin in which nothing is done."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from watari.act.journal import Entry, OperationRecord
from watari.app.approvals import Approvals
from watari.app.clouds import SimSize
from watari.app.loop import Balancer, balancer
from watari.app.replay import DAY_S, ROUND_S, STEP_S, Result, summarise
from watari.app.tally import Score
from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.contention import Contention
from watari.drivers.sim.spec import SimSpec
from watari.jobs.balance import Memory, remember
from watari.model.compute import HostName, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
SLOT_S = 300.0  # one point of the curves
LEARN_S = 300.0  # between two readings of the day before
SWITCH_ON_S = 12.25 * 3600.0  # the balancer only watches until the noon peak is in full swing
POINTS = 200  # of each server's history that are kept, one per slot
BUSY, QUIET = 24.0, 0.25  # weights of a step's share of the wall time: moves under way, and a night
MEAN_WEIGHT = 0.85  # over such a day


@dataclass(frozen=True, slots=True)
class ZoneFrame:
    """One zone now; `stolen_cores`: asked for and not given."""

    name: str
    hosts: int
    servers: int
    starved: int
    stolen_cores: float
    moving: int


@dataclass(frozen=True, slots=True)
class FlightFrame:
    """One move under way; `share` copied 0-1, times in seconds of the cloud's clock."""

    name: str
    source: str
    target: str
    share: float
    rate_mib_s: float
    eta_s: float | None
    phase: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a viewer shows of one moment. Curves: mean cores stolen per 5 minutes since midnight."""

    now: datetime
    acting: bool  # False: the balancer only watches yet
    starved: int
    starved_shadow: int
    stolen_cores: float
    stolen_cores_shadow: float
    moves_done: int
    moves_running: int
    moves_failed: int
    moves_undone: int
    memory_gib: float
    disk_gib: float
    zones: tuple[ZoneFrame, ...]
    flights: tuple[FlightFrame, ...]
    lines: tuple[str, ...]
    curve: tuple[float, ...]
    curve_shadow: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Every server's load at one moment, in the cloud's order."""

    at: datetime
    steal: NDArray[np.float32]
    load_per_vcpu: NDArray[np.float32]


@dataclass(slots=True)
class Curve:
    """Per slot of the day: means of stolen cores, starved servers at the end, moves that ended by outcome."""

    sums: list[float]
    sums_shadow: list[float]
    counts: list[int]
    starved: list[int]

    @classmethod
    def empty(cls) -> "Curve":
        return cls([], [], [], [])

    def add(self, slot: int, stolen: float, shadow: float, starved: int) -> None:
        while len(self.counts) <= slot:
            for column in (self.sums, self.sums_shadow):
                column.append(0.0)
            self.counts.append(0)
            self.starved.append(0)
        self.sums[slot] += stolen
        self.sums_shadow[slot] += shadow
        self.counts[slot] += 1
        self.starved[slot] = starved

    def measured(self) -> tuple[float, ...]:
        return tuple(s / c for s, c in zip(self.sums, self.counts, strict=True))

    def shadow(self) -> tuple[float, ...]:
        return tuple(s / c for s, c in zip(self.sums_shadow, self.counts, strict=True))


class Demo:
    """One day of a simulated cloud in virtual time. `advance` is one step; nothing here waits or prints.

    Until `switch_on_s` (seconds after midnight) the balancer only watches, as it did the day before: that is where its
    look-ahead comes from. `score` counts from then on, `whole_day` from midnight. With `approve` plans wait for a
    person, and time stands still meanwhile. While it is `stopped` nothing begins.
    """

    def __init__(
        self,
        policy: Policy,
        size: SimSize,
        *,
        days: float = 1.0,
        switch_on_s: float = SWITCH_ON_S,
        approve: bool = False,
    ) -> None:
        self.policy, self.size = policy, size
        self.spec: SimSpec = replace(account_cloud(size.hosts, size.servers, size.seed), name=size.name)
        self.cloud = SimCloud(self.spec, demand_for(self.spec, size.seed), MIDNIGHT, step_s=STEP_S)
        self.steps_total = int(days * DAY_S // STEP_S)
        self.steps = 0
        self.journal: list[Entry] = []
        self.balancer: Balancer = balancer(self.cloud, self.cloud, self.cloud, policy, self.journal)
        self.balancer.memory = learned_day(self.spec, size.seed, policy)
        self.balancer.acting = switch_on_s <= 0
        self.stopped = False
        self.approvals = Approvals() if approve else None
        self.balancer.agrees = self._agrees
        self.switch_on_s = switch_on_s
        self.score = Score.start(self.cloud, policy.detect)
        self.whole_day = Score.start(self.cloud, policy.detect)
        self.curve = Curve.empty()
        self.ended: list[OperationRecord] = []  # operations that are over, in the order in which they ended
        self.readings: deque[Reading] = deque(maxlen=POINTS)
        self._seen: set[int] = set()
        self._every = max(1, round(ROUND_S / STEP_S))

    @property
    def over(self) -> bool:
        return self.steps >= self.steps_total

    @property
    def share(self) -> float:
        """How much of the day is over, 0-1."""
        return self.steps / self.steps_total

    @property
    def now(self) -> datetime:
        return self.cloud.now()

    @property
    def acting(self) -> bool:
        """Is the balancer switched on?"""
        return self.balancer.acting

    def advance(self) -> None:
        """One step of 15 s: a round of the balancer every minute, a tick while moves are under way."""
        if self.approvals is not None:
            if self.approvals.waits:
                return
            if not self.stopped and (agreed := self.approvals.take()) is not None:
                self.balancer.begin(agreed)
        if not self.acting and self.steps * STEP_S >= self.switch_on_s:
            self.balancer.acting = True
        if self.steps % self._every == 0:
            self.balancer.round()
        if self.balancer.executor.runs:
            self.balancer.tick()
            self._collect()
        self.whole_day.add(self.cloud, STEP_S)
        if self.acting:
            self.score.add(self.cloud, STEP_S)
        slot = int(self.steps * STEP_S // SLOT_S)
        if slot == len(self.curve.counts):
            c = self.cloud.contention
            self.readings.append(Reading(self.now, c.steal.astype(np.float32), c.load_per_vcpu.astype(np.float32)))
        b, s = self.whole_day.balanced, self.whole_day.shadow
        self.curve.add(slot, b.now_stolen, s.now_stolen, b.now_starved)
        self.cloud.advance(STEP_S)
        self.steps += 1

    def starved(self) -> NDArray[np.bool_]:
        """Who is starved at this moment, in the cloud's order."""
        return self._judge(self.cloud.contention)

    def starved_shadow(self) -> int:
        """How many would be, had nothing been done."""
        return int(self._judge(self.cloud.shadow_contention()).sum())

    def _agrees(self, plan: Plan) -> bool:
        """Whether a plan begins by itself."""
        return not self.stopped and (self.approvals is None or self.approvals.agrees(plan))

    def _judge(self, c: Contention) -> NDArray[np.bool_]:
        return self.policy.detect.starved(c.steal, c.load_per_vcpu)

    def operations(self) -> list[OperationRecord]:
        """Every operation that was ever started or is over."""
        return [o for run in self.balancer.history for o in run.operations]

    def result(self) -> Result:
        """The sums since the balancer was switched on."""
        return summarise(self.policy, self.cloud, self.balancer, self.score)

    def frame(self) -> Frame:
        """This moment for a terminal."""
        b, s, flights = self.whole_day.balanced, self.whole_day.shadow, self.cloud.flights_progress()
        done = [o for o in self.ended if o.state == "done"]
        return Frame(
            now=self.now,
            acting=self.acting,
            starved=int(self.starved().sum()),
            starved_shadow=self.starved_shadow(),
            stolen_cores=b.now_stolen,
            stolen_cores_shadow=s.now_stolen,
            moves_done=len(done),
            moves_running=len(flights),
            moves_failed=sum(o.state == "failed" for o in self.ended),
            moves_undone=sum(o.state == "undone" for o in self.ended),
            memory_gib=sum(o.operation.cost.memory_mib for o in done) / 1024,
            disk_gib=sum(o.operation.cost.disk_mib for o in done) / 1024,
            zones=self._zones([m.source for m in flights]),
            flights=tuple(
                FlightFrame(
                    self._name(m.server), m.source, m.target, m.done_mib / max(m.total_mib, 1e-9), m.rate_mib_s,
                    (m.total_mib - m.done_mib) / m.rate_mib_s if m.rate_mib_s else None, m.status,
                )
                for m in flights
            ),
            lines=tuple(line(e) for e in self.journal[-8:]),
            curve=self.curve.measured(),
            curve_shadow=self.curve.shadow(),
        )  # fmt: skip

    def _name(self, server: ServerId) -> str:
        snapshot = self.balancer.snapshot
        found = None if snapshot is None else snapshot.servers.get(server)
        return found.name if found else server

    def _zones(self, flying_from: list[HostName]) -> tuple[ZoneFrame, ...]:
        spec, c = self.spec, self.cloud.contention
        zone_of_host = self.score.zone_of_host
        zone_of = zone_of_host[self.cloud.host_index]
        n = len(spec.zones)
        hosts, servers = np.bincount(zone_of_host, minlength=n), np.bincount(zone_of, minlength=n)
        counts, stolen = np.bincount(zone_of, self.starved(), n), np.bincount(zone_of, c.steal * spec.vcpus, n)
        zone_named = {h.name: h.zone for h in spec.hosts}
        moving = [zone_named[h] for h in flying_from]
        return tuple(
            ZoneFrame(z, int(hosts[i]), int(servers[i]), int(counts[i]), float(stolen[i]), moving.count(z))
            for i, z in enumerate(spec.zones)
        )

    def _collect(self) -> None:
        for run in self.balancer.history[-64:]:
            for record in run.operations:
                if record.over and id(record) not in self._seen:
                    self._seen.add(id(record))
                    self.ended.append(record)


def line(entry: Entry) -> str:
    """A journal entry as one line."""
    text = f" ({entry.text})" if entry.text else ""
    return f"{entry.at:%H:%M:%S} {entry.subject} {entry.step}: {entry.state}{text}"


def learned_day(spec: SimSpec, seed: int, policy: Policy) -> Memory | None:
    """What the balancer remembers of the day before, in which nothing was moved; None without look-ahead."""
    if policy.look_ahead.horizon_s <= 0:
        return None
    start = MIDNIGHT - timedelta(days=1)
    cloud = SimCloud(spec, demand_for(spec, seed, -DAY_S), start, step_s=60.0)
    memory: Memory | None = None
    for _ in range(int(DAY_S // LEARN_S)):
        memory = remember(memory, compute_snapshot(cloud, cloud, cloud), policy)
        cloud.advance(LEARN_S)
    return memory


@dataclass(slots=True)
class Pace:
    """Spends about `seconds` of wall time on the day: nights fly, time slows down while servers move."""

    demo: Demo
    seconds: float
    owed: float = 0.0  # steps that are due, less than one

    def weight(self) -> float:
        """How much longer than a quiet step of the day the coming one is shown."""
        if self.demo.cloud.flights_progress():
            return BUSY
        return 1.0 if self.demo.acting or self.demo.whole_day.balanced.now_starved else QUIET

    def steps(self, elapsed_s: float) -> int:
        """Steps to take for the wall time that has passed since the last call."""
        self.owed += elapsed_s / self.seconds * self.demo.steps_total * MEAN_WEIGHT / self.weight()
        due = int(self.owed)
        self.owed -= due
        return due


def run_demo(
    demo: Demo, seconds: float, on_frame: Callable[[], None], stop: Callable[[], bool], frames_per_s: float = 8.0
) -> None:
    """Pace the day so that it lasts about `seconds` of wall time (0: as fast as it goes); `on_frame` after each batch.

    No step is left out: a machine too slow for the pace takes longer.
    """
    pace, last = Pace(demo, seconds), time.monotonic()
    while not demo.over and not stop():
        now = time.monotonic()
        steps = pace.steps(now - last) if seconds > 0 else 240
        last = now
        for _ in range(steps):
            if demo.over or stop():
                break
            demo.advance()
        on_frame()
        if demo.approvals is not None and demo.approvals.waits:
            time.sleep(1 / frames_per_s)
        elif seconds > 0:
            time.sleep(max(0.0, 1 / frames_per_s - (time.monotonic() - now)))
    on_frame()
