"""What a handler answers when it is asked how a step stands."""

from dataclasses import dataclass

from watari.plan.steps import Step


@dataclass(frozen=True, slots=True)
class Ready:
    """Before anything is asked: nothing is against it. `step` says also what has to be known when it is undone."""

    step: Step


@dataclass(frozen=True, slots=True)
class Progress:
    """Still going on: MiB so far, MiB expected, MiB/s now."""

    done_mib: float
    total_mib: float
    rate_mib_s: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The world is as the step wants it."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """It is where the step wants it, and the cloud waits to hear from whoever asked whether it may stay."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It is over and the world is not as the step wants it. `unharmed`: it is as it was before the step."""

    text: str
    unharmed: bool = False


Outcome = Progress | Arrived | Done | Failed
