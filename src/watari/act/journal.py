"""What happened: runs, step records and the journal that is written before and after every change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from watari.plan.plan import Operation, Plan
from watari.plan.steps import Step

State = Literal["pending", "intended", "running", "done", "failed", "undone", "skipped"]
OVER: frozenset[State] = frozenset({"done", "failed", "undone", "skipped"})


@dataclass(slots=True)
class StepRecord:
    """One step of one operation. `asked_at` is set with the intent, before the cloud is asked."""

    step: Step
    state: State = "pending"
    handle: str | None = None
    attempts: int = 0  # requests
    setbacks: int = 0  # calls in a row that the cloud did not answer
    asked_at: datetime | None = None
    ended_at: datetime | None = None
    not_before: datetime | None = None  # after a transient failure
    note: str = ""
    done_mib: float = 0.0
    total_mib: float = 0.0
    rate_mib_s: float = 0.0
    moved_at: datetime | None = None  # when progress was last seen
    adopted: bool = False  # found under way; an earlier process, or somebody, asked for it

    @property
    def over(self) -> bool:
        return self.state in OVER


@dataclass(slots=True)
class OperationRecord:
    """One operation's saga; `state` is that of the whole."""

    operation: Operation
    steps: list[StepRecord]
    state: State = "pending"
    waits: str = ""

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def under_way(self) -> bool:
        return self.state in ("intended", "running")

    @property
    def note(self) -> str:
        """The last thing that was said about any of its steps."""
        return next((s.note for s in reversed(self.steps) if s.note), "")


@dataclass(slots=True)
class Run:
    """A plan being carried out."""

    id: str
    plan: Plan
    started_at: datetime
    operations: list[OperationRecord] = field(default_factory=list)
    stopping: bool = False  # finish what is under way, start nothing

    @classmethod
    def of(cls, plan: Plan, started_at: datetime) -> "Run":
        records = [OperationRecord(o, [StepRecord(s) for s in o.steps]) for o in plan.operations]
        return cls(f"r-{plan.id.removeprefix('p-')}", plan, started_at, records)

    @property
    def over(self) -> bool:
        return all(o.over or (self.stopping and not o.under_way) for o in self.operations)

    def count(self, state: State) -> int:
        """Operations in a state."""
        return sum(1 for o in self.operations if o.state == state)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    at: datetime
    run: str
    operation: str
    subject: str
    step: str
    state: State
    text: str = ""


Journal = Callable[[Entry], None]  # must have stored the entry when it returns
