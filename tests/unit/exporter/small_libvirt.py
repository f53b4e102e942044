"""As much of libvirt's Python bindings as the exporter uses, over hosts in memory; numbers as in libvirt's headers."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

RUNNING, PAUSED = 1, 3
BOOTED, MIGRATED, UNPAUSED, POSTCOPY = 1, 2, 5, 10  # why it runs
BY_USER, MIGRATION, IO_ERROR, STARTING_UP, PAUSED_POSTCOPY, POSTCOPY_FAILED = 1, 2, 5, 11, 12, 13  # why it is paused
UNBOUNDED = 2
MIGRATION_IN, MIGRATION_OUT, BACKUP = 4, 5, 9

CONSTANTS = {
    "VIR_ERR_INTERNAL_ERROR": 1, "VIR_ERR_NO_CONNECT": 5, "VIR_ERR_INVALID_CONN": 6, "VIR_ERR_INVALID_ARG": 8,
    "VIR_ERR_SYSTEM_ERROR": 38, "VIR_ERR_RPC": 39, "VIR_ERR_NO_DOMAIN": 42, "VIR_ERR_AUTH_FAILED": 45,
    "VIR_ERR_OPERATION_INVALID": 55, "VIR_ERR_NO_SECRET": 66, "VIR_ERR_OPERATION_TIMEOUT": 68,
    "VIR_ERR_AUTH_CANCELLED": 79, "VIR_ERR_OPERATION_UNSUPPORTED": 84, "VIR_ERR_AGENT_UNRESPONSIVE": 86,
    "VIR_ERR_RESOURCE_BUSY": 87, "VIR_ERR_ACCESS_DENIED": 88, "VIR_ERR_AUTH_UNAVAILABLE": 94,
    "VIR_CONNECT_LIST_DOMAINS_RUNNING": 16, "VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE": 1,
    "VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT": 1 << 29,
    "VIR_DOMAIN_STATS_STATE": 1, "VIR_DOMAIN_STATS_BALLOON": 4,
    "VIR_DOMAIN_STATS_VCPU": 8, "VIR_DOMAIN_STATS_INTERFACE": 16, "VIR_DOMAIN_STATS_BLOCK": 32,
    "VIR_DOMAIN_STATS_DIRTYRATE": 512, "VIR_DOMAIN_DIRTYRATE_MEASURED": 2,
    "VIR_DOMAIN_RUNNING": RUNNING, "VIR_DOMAIN_PAUSED": PAUSED,
    "VIR_DOMAIN_RUNNING_BOOTED": BOOTED, "VIR_DOMAIN_RUNNING_MIGRATED": MIGRATED,
    "VIR_DOMAIN_RUNNING_UNPAUSED": UNPAUSED, "VIR_DOMAIN_RUNNING_POSTCOPY": POSTCOPY,
    "VIR_DOMAIN_PAUSED_USER": BY_USER, "VIR_DOMAIN_PAUSED_MIGRATION": MIGRATION,
    "VIR_DOMAIN_PAUSED_IOERROR": IO_ERROR, "VIR_DOMAIN_PAUSED_STARTING_UP": STARTING_UP,
    "VIR_DOMAIN_PAUSED_POSTCOPY": PAUSED_POSTCOPY, "VIR_DOMAIN_PAUSED_POSTCOPY_FAILED": POSTCOPY_FAILED,
    "VIR_DOMAIN_JOB_NONE": 0, "VIR_DOMAIN_JOB_UNBOUNDED": UNBOUNDED,
    "VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN": MIGRATION_IN, "VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT": MIGRATION_OUT,
    "VIR_DOMAIN_JOB_OPERATION_BACKUP": BACKUP,
}  # fmt: skip

NOVA_XML = """\
<domain type='kvm'><name>instance-00000001</name>
<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
<nova:name>web-1</nova:name><nova:flavor name="m1.small"/>
<nova:owner><nova:user uuid="u-1">alice</nova:user><nova:project uuid="p-1">shop</nova:project></nova:owner>
</nova:instance></metadata>
<devices><disk device='disk'><target dev='vda'/></disk><disk device='cdrom'><target dev='hda'/></disk></devices>
</domain>"""
PLAIN_XML = "<domain type='kvm'><name>plain</name><devices/></domain>"


class LibvirtError(Exception):
    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self._code = code

    def get_error_code(self) -> int:
        return self._code


def gone() -> LibvirtError:
    return LibvirtError("Domain not found: no domain with matching uuid", CONSTANTS["VIR_ERR_NO_DOMAIN"])


def counters(delay_s: float = 0.0, vcpus: int = 2) -> dict[str, Any]:
    """What libvirt 9.0 tells of a domain with a disk, a CD-ROM drive and an interface."""
    stats: dict[str, Any] = {
        "balloon.current": 1024, "balloon.maximum": 2048, "balloon.rss": 900,
        "vcpu.current": vcpus, "vcpu.maximum": 4,
        "net.count": 1, "net.0.name": "tap1", "net.0.rx.bytes": 10, "net.0.tx.bytes": 20,
        "block.count": 2, "block.0.name": "vda", "block.0.rd.bytes": 4096, "block.0.rd.times": 5 * 10**8,
        "block.0.wr.bytes": 512, "block.1.name": "hda", "block.1.rd.bytes": 1,
    }  # fmt: skip
    for n in range(vcpus):
        vcpu = {"state": 1, "time": 10**9, "wait": 0, "delay": int(delay_s * 1e9)}
        stats |= {f"vcpu.{n}.{key}": value for key, value in vcpu.items()}
    return stats


@dataclass(slots=True)
class FakeDomain:
    uuid: str = "11111111-1111-4111-8111-111111111111"
    called: str = "instance-00000001"
    id: int = 1
    state: tuple[int, int] = (RUNNING, BOOTED)
    stats: dict[str, Any] = field(default_factory=counters)
    xml: str = NOVA_XML
    job: dict[str, Any] = field(default_factory=dict)
    vanished: bool = False  # after the statistics were read
    calls: Counter[str] = field(default_factory=Counter)

    def UUIDString(self) -> str:
        return self.uuid

    def name(self) -> str:
        return self.called

    def ID(self) -> int:
        return self.id

    def XMLDesc(self, flags: int) -> str:
        self._ask("XMLDesc")
        return self.xml

    def info(self) -> list[int]:
        self._ask("info")
        return [self.state[0], 2048, 1024, 2, 5 * 10**9]

    def jobInfo(self) -> list[int]:
        self._ask("jobInfo")
        return [self.job.get("type", 0)] + 11 * [0]

    def jobStats(self) -> dict[str, Any]:
        self._ask("jobStats")
        return self.job or {"type": 0}

    def startDirtyRateCalc(self, seconds: int, flags: int) -> None:
        self._ask("startDirtyRateCalc")
        self.stats |= {"dirtyrate.calc_status": 2, "dirtyrate.megabytes_per_second": 3}

    def _ask(self, what: str) -> None:
        self.calls[what] += 1
        if self.vanished:
            raise gone()


@dataclass(slots=True)
class FakeHost:
    """A daemon. `away`: what opening and asking raise. `hangs`: so many calls do not return until `released`."""

    domains: list[FakeDomain] = field(default_factory=list)
    away: LibvirtError | None = None
    hangs: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    calls: Counter[str] = field(default_factory=Counter)
    groups: int = 0


@dataclass(slots=True)
class FakeConnection:
    """Broken for good once its daemon was away."""

    host: FakeHost
    alive: bool = True  # as far as is known here
    broken: bool = False

    def isAlive(self) -> bool:
        return self.alive

    def setKeepAlive(self, interval: int, count: int) -> int:
        return 0

    def close(self) -> int:
        self.host.calls["close"] += 1
        return 0

    def getAllDomainStats(self, stats: int, flags: int) -> list[tuple[FakeDomain, dict[str, Any]]]:
        self._ask("getAllDomainStats")
        self.host.groups = stats
        state, reason = "state.state", "state.reason"
        return [(d, {state: d.state[0], reason: d.state[1], **d.stats}) for d in self.host.domains]

    def listAllDomains(self, flags: int) -> list[FakeDomain]:
        self._ask("listAllDomains")
        return [d for d in self.host.domains if d.state[0] == RUNNING]

    def _ask(self, what: str) -> None:
        self.host.calls[what] += 1
        if self.host.hangs:
            self.host.hangs -= 1
            self.host.released.wait(10)
        if self.host.away or self.broken:
            self.alive, self.broken = False, True
            raise self.host.away or LibvirtError("client socket is closed", CONSTANTS["VIR_ERR_INTERNAL_ERROR"])


class SmallLibvirt:
    """The module `libvirt`."""

    libvirtError = LibvirtError

    def __init__(self) -> None:
        self.hosts: dict[str, FakeHost] = {}

    def __getattr__(self, name: str) -> int:
        try:
            return CONSTANTS[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(CONSTANTS)

    def registerErrorHandler(self, handler: object, context: object) -> None:
        """Errors are raised in any case."""

    def open(self, uri: str) -> FakeConnection:
        return self._opened(uri, "open")

    def openReadOnly(self, uri: str) -> FakeConnection:
        return self._opened(uri, "openReadOnly")

    def _opened(self, uri: str, how: str) -> FakeConnection:
        host = self.hosts[uri]
        host.calls[how] += 1
        if host.away:
            raise host.away
        return FakeConnection(host)
