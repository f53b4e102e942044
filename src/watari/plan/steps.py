"""One frozen class per verb that a plan can ask for."""

from dataclasses import dataclass

from watari.model.compute import HostName, ServerId


@dataclass(frozen=True, slots=True)
class LiveMigrate:
    """Move a running server to `target`. `bandwidth_mib_s` caps the copy (MiB/s), None leaves it to the cloud."""

    server: ServerId
    source: HostName
    target: HostName
    bandwidth_mib_s: float | None = None

    def __str__(self) -> str:
        return f"live-migrate {self.server} {self.source} -> {self.target}"


Step = LiveMigrate
STEPS: dict[str, type[Step]] = {"live-migrate": LiveMigrate}
VERBS: dict[type[Step], str] = {cls: verb for verb, cls in STEPS.items()}
