"""What the API takes and answers, version 1.

Units: MiB, MiB/s, seconds, cores. Times are ISO 8601 with an offset. `null` means that nothing is known: never zero.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Policy = Annotated[str, Field(max_length=65_536)]  # several times the largest that anybody needs
Mode = Literal["off", "observe", "suggest", "approve", "automatic", ""]
PlanState = Literal["suggested", "waiting", "approved", "begun", "rejected", "replaced", "expired", "stale"]
RunState = Literal["running", "stopped", "cancelling", "cancelled", "done", "partly"]
OperationState = Literal["pending", "intended", "running", "undoing", "done", "failed", "undone", "skipped"]


class Answer(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True)


class Request(BaseModel):
    """Base of what is asked for: a key that is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Answer):
    """An error (RFC 9457). `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Items(Answer, Generic[T]):
    """One page of a list. `next`: what to pass as `after` for the following page; null at the end."""

    items: list[T]
    next: str | None = None


class Stop(Answer):
    """The stop switch of a cloud; `cloud` empty: of all clouds."""

    cloud: str
    by: str
    why: str
    at: datetime


class Finding(Answer):
    """Something that a person should look at, with its cure in `help`."""

    cloud: str
    severity: str
    subject: str
    code: str
    text: str
    help: str


class Cloud(Answer):
    """What the controller of a cloud sees and does.

    `controller` empty: nobody looks after it. `looked_s`: seconds since its last look. `starved` null: not known, see
    `trouble`. `findings`: how many.
    """

    name: str
    controller: str
    mode: Mode
    policy: str
    every_s: float | None
    looked_s: float | None
    hosts: int | None
    servers: int | None
    measured: int | None
    starved: int | None
    doing: str
    trouble: str
    findings: int
    stop: Stop | None


class Plan(Answer):
    """A plan of a controller or of a person, and what was decided about it.

    `mode` is that of the job when it was made, "asked" when a person wanted it. `starved`: servers, when it was made.
    """

    id: str
    cloud: str
    job: str
    mode: str
    state: PlanState
    why: str
    made_at: datetime
    expires_at: datetime
    operations: int
    starved: int | None
    decided_by: str
    decided_at: datetime | None
    run: str | None


class PlanDetails(Plan):
    """A plan whole. `plan` is the plan file (`watari apply` takes it), `text` the same in words."""

    plan: dict[str, Any]
    text: str


class Run(Answer):
    """A plan being carried out, or that was. `counts`: operations by state."""

    id: str
    plan: str
    job: str
    cloud: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    counts: dict[OperationState, int]
    starved_before: int | None
    starved_after: int | None


class Step(Answer):
    """One step of an operation. `asked_at`: when the cloud was first asked; `moved_at`: when progress was last seen."""

    what: str
    state: OperationState
    attempts: int
    asked_at: datetime | None
    begun_at: datetime | None
    ended_at: datetime | None
    moved_at: datetime | None
    done_mib: float
    total_mib: float
    rate_mib_s: float
    eta_s: float | None
    note: str


class Operation(Answer):
    """One operation of a run. `waits`: why it has not begun. `out_of_service`: an orchestrator does not use it now."""

    id: str
    run: str
    cloud: str
    subject: str
    name: str
    source: str
    target: str
    wave: int
    state: OperationState
    waits: str
    note: str
    mib: float
    expected_s: float
    out_of_service: bool
    steps: list[Step]


class RunDetails(Run):
    """A run whole."""

    operations: list[Operation]


class JournalLine(Answer):
    """What was written down before or after a change. `n` counts up over all runs."""

    n: int
    at: datetime
    run: str
    operation: str
    subject: str
    step: str
    state: OperationState
    text: str


class AuditLine(Answer):
    """Who changed what, and why. `outcome`: "asked" until it is known, "done", or what was refused."""

    n: int
    at: datetime
    by: str
    via: str
    address: str
    action: str
    cloud: str
    subject: str
    why: str
    outcome: str


class Me(Answer):
    """Who asks, and what that person may do."""

    user: str
    roles: list[str]
    may: list[str]


class PolicyText(Request):
    """A policy as YAML."""

    text: Policy


class PolicyCheck(Answer):
    """Whether a policy is right: `problems` in words, one per line. `digest` names what it means."""

    valid: bool
    problems: list[str]
    name: str
    digest: str


class TwoPolicies(Request):
    """Two policies as YAML, or the name of a shipped one, or "in force:CLOUD"."""

    old: Policy
    new: Policy


class PolicyChange(Answer):
    """A key whose meaning differs."""

    key: str
    old: Any
    new: Any


class PolicyShown(Answer):
    """A policy that can be named."""

    name: str
    digest: str
    text: str


class History(Answer):
    """What is kept of a cloud's past. `covered`: the share (0-1) of the time in which somebody looked."""

    cloud: str
    begins: datetime
    ends: datetime
    slots: int
    covered: float
    servers: int
    mib: float


class WhatIf(Request):
    """Play a cloud's last days, as its controller has kept them, under another policy: a text, or a shipped name."""

    cloud: Name
    policy: Policy
    days: Annotated[float, Field(gt=0, le=366)] = 7.0


class Played(Answer):
    """What would have come of it: a row per measure, with a column per policy, beside what was measured.

    `notes`: what to know before believing the numbers.
    """

    cloud: str
    rows: list[dict[str, Any]]
    notes: list[str]


class Decision(Request):
    """Why it was decided so; a rejection needs a reason."""

    why: Why = ""


class Reason(Request):
    """Why something is done that others have to know of."""

    why: Annotated[Why, StringConstraints(min_length=1)]


class BalanceRequest(Request):
    """Plan a balance of a cloud now."""

    job: Literal["balance"]
    cloud: Name
    why: Why = ""


class DrainRequest(Request):
    """Plan to empty hosts. `then`: bring each back into service once everything has left it."""

    job: Literal["drain"]
    cloud: Name
    hosts: Annotated[list[Name], Field(min_length=1, max_length=100)]
    then: Literal["enable"] | None = None
    why: Why = ""


PlanRequest = Annotated[BalanceRequest | DrainRequest, Field(discriminator="job")]
