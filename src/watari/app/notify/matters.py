"""What can be told: matters that begin and end, plans that wait, runs that ended; and what a target was told."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from watari.model.reasons import Severity

LONGEST_KEY = 200  # characters of a subject; a longer one is told apart by its hash


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that begins, lasts and ends: trouble, or a finding.

    `mark` tells two of the same code and subject apart, where the second is no continuation of the first.
    """

    about: Literal["trouble", "findings"]
    code: str
    subject: str
    severity: Severity
    text: str
    help: str = ""
    mark: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.about, self.code, short_key(self.subject), self.mark)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that waits for approval. `starved`: servers at the look that made it."""

    id: str
    job: str
    operations: int
    starved: int | None
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NotDone:
    """An operation of a run that did not end well: `failed`, `undone` or `skipped`, and what was said last."""

    name: str
    state: str
    note: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended. `counts` are its operations by state; `starved_after` comes once it was measured."""

    id: str
    plan_id: str
    job: str
    state: str
    started_at: datetime
    ended_at: datetime
    counts: dict[str, int]
    starved_before: int | None = None
    starved_after: int | None = None
    not_done: tuple[NotDone, ...] = ()

    @property
    def failed(self) -> bool:
        return not self.counts.keys().isdisjoint({"failed", "undone"})


@dataclass(frozen=True, slots=True)
class Now:
    """A cloud at a look. `sure`: whatever is not among the matters is not so; else only what `knows` says is known."""

    at: datetime
    matters: tuple[Matter, ...] = ()
    sure: bool = True
    plans: tuple[Plan, ...] = ()
    runs: tuple[Run, ...] = ()

    def knows(self, matter: Matter) -> bool:
        """Whether its absence is known: what a silent cloud no longer says has not ended."""
        return self.sure or matter.about == "trouble" or matter.code in OWN


OWN = frozenset({"policy-broken", "slow-looks", "notify", "notify-broken"})  # known without asking the cloud


@dataclass(frozen=True, slots=True)
class Told:
    """A matter as a target knows it. `told_at` None: seen, and not told yet; `gone_at`: not seen any more since."""

    matter: Matter
    since: datetime
    told_at: datetime | None = None
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A plan or a run that was told, or need not be: a plan since when, a run with its end."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """All that one target was told of one cloud, since it is told at all."""

    begun_at: datetime
    told: tuple[Told, ...] = ()
    plans: tuple[Mark, ...] = ()
    runs: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """What one target is told at one look. `first`: it has not been told of this cloud before."""

    first: bool = False
    began: tuple[Told, ...] = ()
    ended: tuple[Told, ...] = ()
    lasting: tuple[Told, ...] = ()
    plans: tuple[Plan, ...] = ()
    runs: tuple[Run, ...] = ()

    def __bool__(self) -> bool:
        return any((self.began, self.ended, self.lasting, self.plans, self.runs))


def short_key(subject: str) -> str:
    if len(subject) <= LONGEST_KEY:
        return subject
    return f"{subject[:LONGEST_KEY]}…{sha256(subject.encode()).hexdigest()[:12]}"
