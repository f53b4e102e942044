"""One frozen class per verb that a plan can ask for."""

from dataclasses import dataclass

from watari.model.compute import HostName, Membership, ServerId


@dataclass(frozen=True, slots=True)
class LiveMigrate:
    """Move a running server to `target`. `bandwidth_mib_s` caps the copy (MiB/s), None leaves it to the cloud."""

    server: ServerId
    source: HostName
    target: HostName
    bandwidth_mib_s: float | None = None

    def __str__(self) -> str:
        return f"live-migrate {self.server} {self.source} -> {self.target}"


@dataclass(frozen=True, slots=True)
class ColdMigrate:
    """Stop a server if it runs, copy it to `target`, start it there if it ran, and confirm that it may stay."""

    server: ServerId
    source: HostName
    target: HostName
    bandwidth_mib_s: float | None = None

    def __str__(self) -> str:
        return f"cold-migrate {self.server} {self.source} -> {self.target}"


@dataclass(frozen=True, slots=True)
class DisableHost:
    """Let the cloud place nothing on `host` any more; `reason` is what it shows to people who ask why."""

    host: HostName
    reason: str

    def __str__(self) -> str:
        return f"disable {self.host}: {self.reason}"


@dataclass(frozen=True, slots=True)
class EnableHost:
    """Let the cloud place servers on `host` again, if it is disabled for `reason` (empty: for whatever reason)."""

    host: HostName
    reason: str = ""

    def __str__(self) -> str:
        return f"enable {self.host}"


@dataclass(frozen=True, slots=True)
class Detach:
    """Let an orchestrator give a server no more work, and wait until what it had is elsewhere or done.

    `deadline_s`: a server that is not empty by then goes back, and its operation ends. `was`: what it was before, in
    the orchestrator's own words; found out and written down before anything changes, so that it can be given back.
    """

    server: ServerId
    orchestrator: str
    member: str
    deadline_s: float
    was: str = ""

    @property
    def membership(self) -> Membership:
        return Membership(self.orchestrator, self.member)

    def __str__(self) -> str:
        return f"detach {self.member} from {self.orchestrator}"


@dataclass(frozen=True, slots=True)
class Attach:
    """Let an orchestrator use a server again, and see that it does. `was`: as the Detach of the same operation says.

    `deadline_s`: if it is not back by then the operation has failed, and a person has to look at it.
    """

    server: ServerId
    orchestrator: str
    member: str
    deadline_s: float
    was: str = ""

    @property
    def membership(self) -> Membership:
        return Membership(self.orchestrator, self.member)

    def __str__(self) -> str:
        return f"attach {self.member} to {self.orchestrator}"


Move = LiveMigrate | ColdMigrate
MOVES = (LiveMigrate, ColdMigrate)
Step = LiveMigrate | ColdMigrate | DisableHost | EnableHost | Detach | Attach
STEPS: dict[str, type[Step]] = {
    "live-migrate": LiveMigrate,
    "cold-migrate": ColdMigrate,
    "disable-host": DisableHost,
    "enable-host": EnableHost,
    "detach": Detach,
    "attach": Attach,
}
VERBS: dict[type[Step], str] = {cls: verb for verb, cls in STEPS.items()}
