"""What happened: runs, step records and the journal that is written before and after every change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from watari.plan.plan import Operation, OperationId, Plan
from watari.plan.steps import MOVES, VERBS, Attach, Detach, DisableHost, EnableHost, Step

State = Literal["pending", "intended", "running", "undoing", "done", "failed", "undone", "skipped"]
OVER: frozenset[State] = frozenset({"done", "failed", "undone", "skipped"})


@dataclass(slots=True)
class StepRecord:
    """One step of one operation. `asked_at` is set with the intent, before the cloud is asked."""

    step: Step
    state: State = "pending"
    handle: str | None = None
    attempts: int = 0  # requests
    setbacks: int = 0  # calls in a row that the cloud did not answer
    asked_at: datetime | None = None  # first, over all requests: what an earlier one asked for may surface late
    begun_at: datetime | None = None  # when the latest request was about to be made
    unsure: bool = False  # a request of ours may have been heard although no answer came
    ended_at: datetime | None = None
    not_before: datetime | None = None  # after a transient failure
    note: str = ""
    done_mib: float = 0.0
    total_mib: float = 0.0
    rate_mib_s: float = 0.0
    moved_at: datetime | None = None  # when progress was last seen
    adopted: bool = False  # found under way; an earlier process, or somebody, asked for it
    stopping: str = ""  # why it is being stopped
    stop_at: datetime | None = None  # when it was first asked to stop
    hastened: bool = False  # it was asked to end soon
    tried_at: datetime | None = None  # since when nobody could be asked, of what has to happen whatever else does

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def untouched(self) -> bool:
        """Nothing was asked for yet: it waits, or was found done already.

        A move that waits again was never taken; a Detach that does may have been heard.
        """
        if self.state == "pending":
            return self.asked_at is None or not isinstance(self.step, Detach)
        return self.state == "done" and self.asked_at is None

    @property
    def asked(self) -> bool:
        """The cloud was asked, or may have been, and it is not over yet."""
        return self.state in ("intended", "running")


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
        return self.state in ("intended", "running", "undoing")

    @property
    def begun(self) -> bool:
        """Something was asked for: the other steps follow, or it is undone. It waits for no budget any more.

        A first step that was found done already asks for nothing.
        """
        return any(not r.untouched for r in self.steps)

    @property
    def note(self) -> str:
        """The last thing that was said about any of its steps."""
        return next((s.note for s in reversed(self.steps) if s.note), "")

    @property
    def moving(self) -> StepRecord | None:
        """The record of the step that moves the subject to another host; None if nothing moves."""
        return next((r for r in self.steps if isinstance(r.step, MOVES)), None)

    def of_member(self, step: Attach | Detach, kind: type[Attach] | type[Detach]) -> list[StepRecord]:
        """The steps of a kind that are about the same member of the same orchestrator."""
        return [r for r in self.steps if isinstance(r.step, kind) and r.step.membership == step.membership]

    def left_out_by(self, r: StepRecord) -> bool:
        """Whether a step leaves its server out of service: it failed, and nothing else has put it back since."""
        if r.state != "failed":
            return False
        if isinstance(r.step, Detach):  # an Attach that failed as well tells more
            return r.asked_at is not None and not any(o.state == "failed" for o in self.of_member(r.step, Attach))
        return isinstance(r.step, Attach) and all(o.state != "undone" for o in self.of_member(r.step, Detach))

    @property
    def leaves_out(self) -> bool:
        """It is over, and its server is out of service because of it."""
        return self.over and any(map(self.left_out_by, self.steps))

    @property
    def current(self) -> StepRecord:
        """The first step that is not over, or the last."""
        return next((r for r in self.steps if not r.over), self.steps[-1])


@dataclass(slots=True)
class Run:
    """A plan being carried out."""

    id: str
    plan: Plan
    started_at: datetime
    operations: list[OperationRecord] = field(default_factory=list)
    stopping: bool = False  # finish what is under way, start nothing
    cancelled: bool = False  # stop what is under way, undo what can be undone, start nothing

    @classmethod
    def of(cls, plan: Plan, started_at: datetime) -> "Run":
        records = [OperationRecord(o, [StepRecord(s) for s in o.steps]) for o in plan.operations]
        return cls(run_id(plan), plan, started_at, records)

    @property
    def over(self) -> bool:
        return all(o.over or (self.stopping and not o.under_way) for o in self.operations)

    @property
    def finished(self) -> bool:
        """Every operation is over; nothing is left to resume."""
        return all(o.over for o in self.operations)

    def count(self, state: State) -> int:
        """Operations in a state."""
        return sum(1 for o in self.operations if o.state == state)

    def left_out(self) -> list[StepRecord]:
        """Steps that should have put a server back into its orchestrator and could not: it is out of service now."""
        return [r for o in self.operations for r in o.steps if o.left_out_by(r)]

    def states(self) -> dict[OperationId, State]:
        """The state of every operation, by its id."""
        return {o.operation.id: o.state for o in self.operations}


def run_id(plan: Plan) -> str:
    """A plan is carried out once, so its run is called like it."""
    return f"r-{plan.id.removeprefix('p-')}"


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

    @classmethod
    def of(cls, at: datetime, run: str, operation: Operation, r: StepRecord) -> "Entry":
        """What a step record says now, in words."""
        text = r.note or (f"as {r.handle}" if r.state == "running" and r.handle else "")
        return cls(at, run, operation.id, operation.name, in_words(r.step), r.state, text)


def in_words(step: Step) -> str:
    """A step without the id of its subject, which says nothing to people: `live-migrate h1 -> h2`."""
    match step:
        case Detach() | Attach():
            return str(step)
        case DisableHost() | EnableHost():
            return f"{VERBS[type(step)]} {step.host}"
        case _:
            return f"{VERBS[type(step)]} {step.source} -> {step.target}"


Journal = Callable[[Entry], None]  # must have stored the entry when it returns
