"""How each verb is asked for, watched, found again and undone. The same handlers serve every executor."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from watari.act.hosts import DisablingHost, EnablingHost
from watari.act.migrations import ColdMigration, LiveMigration
from watari.act.orchestrators import Attaching, Detaching
from watari.act.outcomes import Done, Failed, Outcome, Progress, Ready
from watari.plan.steps import Attach, ColdMigrate, Detach, DisableHost, EnableHost, LiveMigrate, Step
from watari.ports import Compute, Orchestrator, Storage, Style

__all__ = ["ColdMigration", "Done", "Failed", "Handler", "Handlers", "LiveMigration", "Outcome", "Progress", "handlers"]

S = TypeVar("S", contravariant=True)


class Handler(Protocol[S]):
    """One verb. Every method may raise Transient (call again; after `start`: `find` first) and Refused (never will)."""

    def check(self, step: S) -> Ready | Done | Failed | None:
        """Before anything is asked: done already, impossible by now (stale), or go on: None, or Ready with the step."""
        ...

    def start(self, step: S) -> str:
        """Ask and return the handle at once."""
        ...

    def poll(self, step: S, handle: str) -> Outcome:
        """Only look: whoever asked for what is looked at, nothing is changed by it."""
        ...

    def confirm(self, step: S, handle: str) -> None:
        """After `Arrived`, and only for what was asked for by us: it may stay."""
        ...

    def find(self, step: S, since: datetime) -> str | None:
        """The handle of what an earlier process asked for at or after `since`."""
        ...

    def undo(self, step: S, handle: str) -> None:
        """Stop what can be stopped, take back what can be taken back; safe to repeat.

        A server that has arrived stays where it is: moving back is a new move.
        """
        ...


Handlers = Mapping[type[Step], Handler[Any]]  # each verb's class with the handler of that class


def handlers(
    compute: Compute,
    storage: Storage | None = None,
    orchestrators: Mapping[str, Orchestrator] | None = None,
    style: Style | None = None,
) -> Handlers:
    """The table of verbs of one cloud; `storage` is asked before a host is taken out of service."""
    named = orchestrators or {}
    return {
        LiveMigrate: LiveMigration(compute, style or Style()),
        ColdMigrate: ColdMigration(compute),
        DisableHost: DisablingHost(compute, storage),
        EnableHost: EnablingHost(compute),
        Detach: Detaching(named),
        Attach: Attaching(named),
    }
