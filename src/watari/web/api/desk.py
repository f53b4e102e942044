"""The desk behind the API: what it can be asked, wherever the answers come from (a controller's database, the demo)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from watari.web.api import models as m
from watari.web.hub import Hub


@dataclass(frozen=True, slots=True)
class By:
    """Who asks for a change, from where, for the record."""

    user: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is told to those who listen: `kind` is the event's name, `body` its data.

    `cloud` and `run` say what it is about, so that a listener may choose.
    """

    kind: str
    body: m.Answer
    cloud: str = ""
    run: str = ""


class Desk(Protocol):
    """Every method may be called from any thread, and may take as long as a database or a cloud takes.

    Raises BadInput for what does not exist or cannot be done any more (with what became of it), Transient and Busy when
    it may be tried again.
    """

    def clouds(self) -> Sequence[m.Cloud]: ...

    def findings(self, cloud: str) -> Sequence[m.Finding]: ...

    def hub(self, cloud: str) -> Hub | None:
        """The live picture of a cloud; None: somebody else looks after it, or nobody has looked yet."""
        ...

    def snapshot(self, cloud: str) -> bytes | None:
        """The last reading of a cloud as a snapshot file; None as for `hub`."""
        ...

    def histories(self) -> Sequence[m.History]: ...

    def plans(self, cloud: str | None, states: Sequence[str], after: str | None, limit: int) -> m.Items[m.Plan]: ...

    def plan(self, id: str) -> m.PlanDetails: ...

    def propose(self, wanted: "m.PlanRequest", by: By) -> m.PlanDetails: ...

    def decide(self, id: str, approve: bool, why: str, by: By) -> m.Plan: ...

    def runs(self, cloud: str | None, only_open: bool, after: str | None, limit: int) -> m.Items[m.Run]: ...

    def run(self, id: str) -> m.RunDetails: ...

    def journal(self, run: str, after: int, limit: int) -> m.Items[m.JournalLine]: ...

    def stop_run(self, id: str, why: str, by: By) -> m.Run:
        """Finish what is under way and begin nothing more."""
        ...

    def cancel_run(self, id: str, why: str, by: By) -> m.Run:
        """Stop what is under way, skip the rest."""
        ...

    def resume_run(self, id: str, why: str, by: By) -> m.Run: ...

    def undo_run(self, id: str, why: str, by: By) -> m.PlanDetails:
        """The way back as a plan that waits for approval."""
        ...

    def stops(self) -> Sequence[m.Stop]: ...

    def set_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        """`cloud` empty: all clouds."""
        ...

    def lift_stop(self, cloud: str, why: str, by: By) -> m.Stop: ...

    def policy(self, ref: str) -> m.PolicyShown:
        """A shipped one by its name, or "in force:CLOUD"."""
        ...

    def policies(self) -> Sequence[str]:
        """What `policy` knows."""
        ...

    def what_if(self, wanted: m.WhatIf) -> m.Played:
        """Takes as long as the days take to play."""
        ...

    def forget(self, cloud: str, by: By) -> None: ...

    def audit(self, after: int | None, limit: int) -> m.Items[m.AuditLine]: ...

    def changes(self) -> Sequence[Change]:
        """What has changed since the last call; asked about once a second, by one thread, while somebody listens."""
        ...
