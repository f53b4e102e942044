"""Libvirt hosts whose domains move and carry metadata, in memory; module and errors are the exporter tests'."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from unit.exporter.small_libvirt import (
    CONSTANTS,
    MIGRATION,
    MIGRATION_IN,
    MIGRATION_OUT,
    PAUSED,
    RUNNING,
    UNBOUNDED,
    LibvirtError,
    SmallLibvirt,
    gone,
)

SHUTOFF = 5
MORE = {
    "VIR_ERR_OPERATION_FAILED": 9, "VIR_ERR_NO_DOMAIN_METADATA": 80, "VIR_DOMAIN_METADATA_ELEMENT": 2,
    "VIR_DOMAIN_AFFECT_LIVE": 1, "VIR_DOMAIN_AFFECT_CONFIG": 2, "VIR_DOMAIN_BLOCKED": 2, "VIR_DOMAIN_SHUTDOWN": 4,
    "VIR_DOMAIN_SHUTOFF": SHUTOFF, "VIR_DOMAIN_CRASHED": 6, "VIR_DOMAIN_PMSUSPENDED": 7,
}  # fmt: skip
LIVE, CONFIG = MORE["VIR_DOMAIN_AFFECT_LIVE"], MORE["VIR_DOMAIN_AFFECT_CONFIG"]


@dataclass
class Domain:
    """A domain on one host. `job`: out, in, or none; `moves`: what is written into its metadata, None without any."""

    uuid: str
    status: tuple[int, int] = (RUNNING, 1)
    job: str = ""
    moves: str | None = None
    persistent: bool = False
    stats: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)  # of changes

    def UUIDString(self) -> str:
        return self.uuid

    def ID(self) -> int:
        return 1

    def state(self) -> tuple[int, int]:
        return self.status

    def isActive(self) -> bool:
        return self.status[0] != SHUTOFF

    def isPersistent(self) -> bool:
        return self.persistent

    def XMLDesc(self) -> str:
        return f"<domain><name>{self.uuid}</name><memory>1048576</memory></domain>"

    def jobInfo(self) -> list[int]:
        return [UNBOUNDED if self.job else 0]

    def jobStats(self) -> dict[str, Any]:
        if self.job == "in":
            raise LibvirtError("migration statistics are at the source", CONSTANTS["VIR_ERR_OPERATION_UNSUPPORTED"])
        return {"operation": MIGRATION_OUT if self.job == "out" else MIGRATION_IN, **self.stats}

    def metadata(self, kind: int, uri: str) -> str:
        if self.moves is None:
            raise LibvirtError("metadata not found", MORE["VIR_ERR_NO_DOMAIN_METADATA"])
        return self.moves

    def setMetadata(self, kind: int, xml: str, key: str, uri: str, flags: int) -> None:
        self.moves = xml
        self.asked.append(("setMetadata", flags))

    def abortJob(self) -> None:
        self.asked.append(("abortJob", None))

    def migrateSetMaxSpeed(self, mib_s: int, flags: int) -> None:
        self.asked.append(("migrateSetMaxSpeed", mib_s, flags))

    def migrateStartPostCopy(self, flags: int) -> None:
        self.asked.append(("migrateStartPostCopy", flags))


def received(uuid: str, moves: str | None) -> Domain:
    """As a target sees a domain whose copy is under way."""
    return Domain(uuid, (PAUSED, MIGRATION), "in", moves)


@dataclass
class Daemon:
    """One host. `away`: it does not answer. `on_look`: what happens when a domain is looked for there."""

    domains: dict[str, Domain] = field(default_factory=dict)
    away: bool = False
    on_look: Callable[[], None] = lambda: None

    def put(self, domain: Domain) -> Domain:
        self.domains[domain.uuid] = domain
        return domain

    # As a connection

    def isAlive(self) -> bool:
        return not self.away

    def setKeepAlive(self, interval: int, count: int) -> int:
        return 0

    def close(self) -> int:
        return 0

    def lookupByUUIDString(self, uuid: str) -> Domain:
        self.on_look()
        if uuid not in self.domains:
            raise gone()
        return self.domains[uuid]


class Libvirt(SmallLibvirt):
    """The module, with daemons by their address."""

    def __init__(self) -> None:
        super().__init__()
        self.daemons: dict[str, Daemon] = {}

    def __getattr__(self, name: str) -> int:
        return MORE[name] if name in MORE else super().__getattr__(name)

    def open(self, uri: str) -> Any:
        daemon = self.daemons[uri]
        if daemon.away:
            raise LibvirtError("unable to connect to server", CONSTANTS["VIR_ERR_SYSTEM_ERROR"])
        return daemon
