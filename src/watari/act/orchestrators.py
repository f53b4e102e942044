"""Take a server out of its orchestrator and put it back; "out" and "back" are what the orchestrator shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from watari.act.outcomes import Done, Failed, Outcome, Progress, Ready
from watari.errors import Permanent, Transient
from watari.plan.steps import Attach, Detach
from watari.ports import Orchestrator

REASON = "watari: server {server} is being moved"

Orchestrators = Mapping[str, Orchestrator]


@dataclass(frozen=True, slots=True)
class Detaching:
    """Handler of Detach."""

    orchestrators: Orchestrators

    def check(self, step: Detach) -> Ready | Done | Failed:
        """Raises Transient while the orchestrator cannot do without the server, or does not answer: nothing is done."""
        orchestrator = _named(self.orchestrators, step.orchestrator)
        standing = orchestrator.standing(step.member)
        if standing is None:
            return Failed(f"{step.orchestrator} does not know {step.member} any more; plan again")
        if standing.out and not standing.ours:
            return Done(f"is out of {step.orchestrator} already, and stays so: {standing.note or 'nobody says why'}")
        if not standing.ours and (why := orchestrator.why_not(step.member)):
            raise Transient(f"{step.orchestrator} needs {step.member} now: {why}")
        # What was written down before a first try counts: that one may have done half of its work.
        return Ready(replace(step, was=step.was or orchestrator.was(step.member)))

    def start(self, step: Detach) -> str:
        _named(self.orchestrators, step.orchestrator).detach(step.member, REASON.format(server=step.server))
        return step.member

    def poll(self, step: Detach, handle: str) -> Outcome:
        standing = _named(self.orchestrators, step.orchestrator).standing(step.member)
        if standing is None:
            return Failed(f"{step.orchestrator} does not know {step.member} any more")
        if not standing.out:
            return Failed(f"somebody put {step.member} back into {step.orchestrator}")
        return Progress(0, 0, 0, standing.left) if standing.left else Done()

    def confirm(self, step: Detach, handle: str) -> None:
        """Nothing waits for a word."""

    def find(self, step: Detach, since: datetime) -> str | None:
        standing = _named(self.orchestrators, step.orchestrator).standing(step.member)
        return step.member if standing is not None and standing.ours else None

    def undo(self, step: Detach, handle: str) -> None:
        """Raises Transient until the orchestrator uses the server again."""
        orchestrator = _named(self.orchestrators, step.orchestrator)
        orchestrator.attach(step.member, step.was)
        standing = orchestrator.standing(step.member, step.was)
        if standing is not None and not standing.serving:
            raise Transient(f"{step.member} is not back in {step.orchestrator} yet: {standing.note or 'not serving'}")


@dataclass(frozen=True, slots=True)
class Attaching:
    """Handler of Attach."""

    orchestrators: Orchestrators

    def check(self, step: Attach) -> Ready | Done | Failed:
        standing = _named(self.orchestrators, step.orchestrator).standing(step.member, step.was)
        return Done("is back already") if standing is not None and standing.serving else Ready(step)

    def start(self, step: Attach) -> str:
        _named(self.orchestrators, step.orchestrator).attach(step.member, step.was)
        return step.member

    def poll(self, step: Attach, handle: str) -> Outcome:
        standing = _named(self.orchestrators, step.orchestrator).standing(step.member, step.was)
        if standing is None:
            return Progress(0, 0, 0, f"{step.orchestrator} does not know it any more")
        return Done() if standing.serving else Progress(0, 0, 0, standing.note or "not serving yet")

    def confirm(self, step: Attach, handle: str) -> None:
        """Nothing waits for a word."""

    def find(self, step: Attach, since: datetime) -> str | None:
        standing = _named(self.orchestrators, step.orchestrator).standing(step.member)
        return step.member if standing is not None and not standing.out else None

    def undo(self, step: Attach, handle: str) -> None:
        """A server that is back stays back."""


def _named(orchestrators: Orchestrators, name: str) -> Orchestrator:
    if name not in orchestrators:
        known = ", ".join(orchestrators) or "none is"
        raise Permanent(f"no orchestrator {name} is configured for this cloud ({known}); was the plan made elsewhere?")
    return orchestrators[name]
