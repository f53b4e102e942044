"""Plan and Operation: the values that planning makes and acting carries out."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from watari.model.compute import HostName
from watari.model.reasons import Candidate, Finding, Reason, Refusal
from watari.plan.steps import MOVES, Move, Step

OperationId = NewType("OperationId", str)


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation takes: bytes over the link, expected time, expected pause of the guest."""

    memory_mib: float = 0.0
    disk_mib: float = 0.0
    seconds: float = 0.0
    downtime_s: float = 0.0

    @property
    def mib(self) -> float:
        return self.memory_mib + self.disk_mib


@dataclass(frozen=True, slots=True)
class Operation:
    """A saga about one subject: its steps are done in order and undone in reverse.

    `waits_for` names operations of earlier waves that hold what this one needs; `waits_why` says what that is.
    `relieves` names the starved servers that stay and get better by it.
    """

    id: OperationId
    subject: str
    name: str
    zone: str
    role: str
    wave: int
    steps: tuple[Step, ...]
    cost: Cost
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[Candidate, ...] = ()  # the chosen one first, then the runners-up
    steal_before: float | None = None
    steal_after: float | None = None
    relieves: tuple[str, ...] = ()
    waits_for: tuple[OperationId, ...] = ()
    waits_why: str = ""
    destructive: bool = False
    vcpus: int = 0

    @property
    def move(self) -> Move | None:
        """The step that takes the subject to another host; None if the operation moves nothing."""
        return next((step for step in self.steps if isinstance(step, MOVES)), None)

    @property
    def source(self) -> HostName:
        """The host that the subject leaves; empty if nothing moves."""
        return self.move.source if self.move else HostName("")

    @property
    def target(self) -> HostName:
        """The host that the subject goes to; empty if nothing moves."""
        return self.move.target if self.move else HostName("")


@dataclass(frozen=True, slots=True)
class HostForecast:
    """CPU of one host: demand as a share of its threads, now and after the plan; starved servers likewise."""

    host: str
    cpu_before: float
    cpu_after: float
    starved_before: int
    starved_after: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the plan should bring. `steal_*`: cores asked for and not given, over the whole cloud."""

    starved_before: int = 0
    starved_after: int = 0
    steal_before: float = 0.0
    steal_after: float = 0.0
    over_before: int = 0  # hosts whose demand is over their capacity
    over_after: int = 0
    hosts: tuple[HostForecast, ...] = ()  # only hosts that change


@dataclass(frozen=True, slots=True)
class Plan:
    """What one job wants done to one snapshot. An empty plan has no operations and still says why."""

    id: str
    job: str
    cloud: str
    made_at: datetime
    expires_at: datetime
    snapshot_digest: str
    policy_digest: str
    operations: tuple[Operation, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    findings: tuple[Finding, ...] = ()
    forecast: Forecast = Forecast()

    @property
    def waves(self) -> int:
        return max((o.wave for o in self.operations), default=0)
