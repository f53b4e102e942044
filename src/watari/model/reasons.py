"""Why something is done, not done, or looks wrong: sentences with a code, so that people and programs can read them."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact behind a choice: `value` against `limit`, both ready to be shown with their unit."""

    rule: str
    text: str
    value: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A destination that was weighed: lower scores win. `why` says what it won or lost by."""

    host: str
    score: float | None  # None: ruled out
    steal: float | None  # projected steal of the worst server there after the move, 0-1 of a vCPU's time
    same_role: int
    free_mib: int
    cpu_after: float  # projected demand as a share of the host's threads
    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A subject that needs help and is not acted on. `code` is stable; `help` says what a person can do.

    `name` is what people call the subject; its id where it is empty.
    """

    subject: str
    code: str
    why: str
    help: str = ""
    candidates: tuple[Candidate, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or self.subject


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should look at: stale metrics, a host without capacity, a move that did not help."""

    subject: str
    code: str
    text: str
    severity: Severity = "warning"
    help: str = ""
