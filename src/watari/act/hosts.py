"""Take a host out of service and bring it back; the reason that the cloud shows tells whose doing it was."""

from dataclasses import dataclass
from datetime import datetime

from watari.act.outcomes import Done, Failed, Outcome, Progress
from watari.plan.steps import DisableHost, EnableHost
from watari.ports import Compute, Storage


@dataclass(frozen=True, slots=True)
class DisablingHost:
    """Handler of DisableHost. A host that somebody else disabled is left as it is, reason and all."""

    compute: Compute
    storage: Storage | None = None  # asked again: its answer when the plan was made may be old

    def check(self, step: DisableHost) -> Done | Failed | None:
        host = self.compute.host(step.host)
        if host is None:
            return Failed(f"the cloud has no host {step.host} any more; plan again")
        if self.storage is not None and (why := self.storage.why_not_stop(step.host)):
            return Failed(f"its storage must not be stopped: {why}")
        if host.state == "down":
            return Failed("is down: nothing moves live off it; recover it")
        if host.state != "up":  # by somebody else, or an earlier drain: theirs to enable
            return Done(f"is {host.state} already: {host.state_note or 'no reason given'}")
        return None

    def start(self, step: DisableHost) -> str:
        self.compute.disable_host(step.host, step.reason)
        return step.reason

    def poll(self, step: DisableHost, handle: str) -> Outcome:
        host = self.compute.host(step.host)
        if host is None:
            return Failed(f"the cloud has no host {step.host} any more")
        if host.state_note == step.reason and host.state != "up":
            return Done()
        return Progress(0, 0, 0, host.state) if host.state == "up" else Failed(f"is {host.state}: {host.state_note}")

    def confirm(self, step: DisableHost, handle: str) -> None:
        """Nothing waits for a word."""

    def find(self, step: DisableHost, since: datetime) -> str | None:
        host = self.compute.host(step.host)
        return step.reason if host and host.state == "disabled" and host.state_note == step.reason else None

    def undo(self, step: DisableHost, handle: str) -> None:
        if self.find(step, datetime.min) is not None:
            self.compute.enable_host(step.host)


@dataclass(frozen=True, slots=True)
class EnablingHost:
    """Handler of EnableHost."""

    compute: Compute

    def check(self, step: EnableHost) -> Done | Failed | None:
        host = self.compute.host(step.host)
        if host is None:
            return Failed(f"the cloud has no host {step.host} any more; plan again")
        if host.state == "up":
            return Done("is in service already")
        if host.state == "down":
            return Failed("is down: bring its service up first")
        if step.reason and host.state_note != step.reason:
            return Failed(f"is disabled by somebody else: {host.state_note or 'no reason given'}")
        return None

    def start(self, step: EnableHost) -> str:
        self.compute.enable_host(step.host)
        return str(step.host)

    def poll(self, step: EnableHost, handle: str) -> Outcome:
        host = self.compute.host(step.host)
        if host is None:
            return Failed(f"the cloud has no host {step.host} any more")
        return Done() if host.state == "up" else Progress(0, 0, 0, host.state)

    def confirm(self, step: EnableHost, handle: str) -> None:
        """Nothing waits for a word."""

    def find(self, step: EnableHost, since: datetime) -> str | None:
        host = self.compute.host(step.host)
        return str(step.host) if host and host.state == "up" else None

    def undo(self, step: EnableHost, handle: str) -> None:
        host = self.compute.host(step.host)
        if step.reason and host is not None and host.state == "up":
            self.compute.disable_host(step.host, step.reason)
