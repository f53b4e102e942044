"""One reading of a host: which domains run here, what libvirt counts of them, which of them have a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from watari.drivers.libvirt.domains import Nova, nova
from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import is_missing, libvirt
from watari.exporter.dirty import DirtyRates

Stats = Mapping[str, Any]
NO_JOB: Final[Stats] = {}
ASKED_QEMU: Final = "balloon.rss"  # told of every domain whose QEMU libvirt could ask (9.0: qemuDomainGetStatsBalloon)
NO_SERIES: Final = ("cdrom", "floppy")  # as the common exporters have it


@dataclass(frozen=True, slots=True)
class Described:
    """What a domain's description says for as long as it runs."""

    nova: Nova
    no_series: frozenset[str]  # targets of drives that have no series


@dataclass(frozen=True, slots=True)
class Guest:
    """A domain in one reading. `stats` is empty where it does not run: it is about to be gone from here, and only its
    job is of interest. `job` is empty without one. `dirty_mib_s`: MiB per second, None if it was not measured.
    """

    domain: str
    uuid: str
    described: Described
    stats: Stats
    job: Stats
    dirty_mib_s: int | None = None


class Reader:
    """Reads one host: one call for all its domains, two short ones for each, one more for each that is new.

    The short ones ask for the job and the CPU time: the latter is in the group CPU_TOTAL of the statistics, too, but
    there libvirt 8.8 and later ask QEMU three times for what nobody here wants (time spent in halt polling).
    """

    def __init__(self, connection: Connection, dirty_rates: DirtyRates | None = None) -> None:
        self._connection, self._dirty = connection, dirty_rates
        self._known: dict[tuple[str, int], Described] = {}  # by uuid and domain id: a new id is a new process

    def read(self) -> list[Guest]:
        """Guests that run here, and those that are just leaving. Raises Transient while libvirt is away, Permanent."""
        lv = libvirt()
        # NOWAIT: a domain whose QEMU keeps another call tells what can be told without it, and holds nobody up.
        flags = lv.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | lv.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        with self._connection.use("read its domains") as c:
            records = c.getAllDomainStats(self._groups(), flags)
            there = [(domain.UUIDString(), domain.ID(), domain, stats) for domain, stats in records]
            read = [self._guest(*one) for one in there]
        keys = [(uuid, id) for uuid, id, *_ in there]
        self._known = {key: self._known[key] for key in keys if key in self._known}
        return [guest for guest in read if guest is not None]

    def _groups(self) -> int:
        lv = libvirt()
        groups = (
            lv.VIR_DOMAIN_STATS_STATE | lv.VIR_DOMAIN_STATS_BALLOON | lv.VIR_DOMAIN_STATS_VCPU
            | lv.VIR_DOMAIN_STATS_INTERFACE | lv.VIR_DOMAIN_STATS_BLOCK
        )  # fmt: skip
        return int(groups | (lv.VIR_DOMAIN_STATS_DIRTYRATE if self._dirty else 0))

    def _guest(self, uuid: str, id: int, domain: Any, stats: Stats) -> Guest | None:
        """None for a domain that runs elsewhere, if it does, or is gone meanwhile."""
        if ASKED_QEMU not in stats:  # any call for this domain may wait until its QEMU answers
            known = self._known.get((uuid, id))
            return Guest(domain.name(), uuid, known, stats, NO_JOB) if known and runs_here(stats) else None
        job = _job(domain)
        if not runs_here(stats):
            leaving = job.get("operation") == libvirt().VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
            return Guest(domain.name(), uuid, NOTHING, {}, job) if leaving else None
        try:
            described = self._described(uuid, id, domain)
            _, maximum_kib, memory_kib, _, cpu_ns = domain.info()
        except libvirt().libvirtError as e:
            if is_missing(e):
                return None
            raise
        info = {"info.maximum": maximum_kib, "info.memory": memory_kib, "info.cpu_time": cpu_ns}
        return Guest(domain.name(), uuid, described, {**stats, **info}, job, self._dirty_rate(uuid, id, stats))

    def _described(self, uuid: str, id: int, domain: Any) -> Described:
        known = self._known.get((uuid, id))
        if known is None:
            known = read_description(domain.XMLDesc(0))
            self._known[uuid, id] = known
        return known

    def _dirty_rate(self, uuid: str, id: int, stats: Stats) -> int | None:
        """QEMU keeps what it measured, whoever asked and whenever: only what we asked for is known to be fresh."""
        if self._dirty is None or not self._dirty.asked(uuid, id):
            return None
        measured = stats.get("dirtyrate.calc_status") == libvirt().VIR_DOMAIN_DIRTYRATE_MEASURED
        return stats.get("dirtyrate.megabytes_per_second") if measured else None


NOTHING: Final = Described(Nova(), frozenset())


def runs_here(stats: Stats) -> bool:
    """Whether this host is where the guest is. During a move both hosts have a domain of it; one of them runs it.

    The target's is paused for `starting up`, then `migration`, until it takes over. The source's is paused for
    `migration` or `post-copy` from then on, until it goes away: see virDomainPausedReason.
    """
    lv = libvirt()
    elsewhere = (
        lv.VIR_DOMAIN_PAUSED_MIGRATION, lv.VIR_DOMAIN_PAUSED_STARTING_UP,
        lv.VIR_DOMAIN_PAUSED_POSTCOPY, lv.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
    )  # fmt: skip
    return stats.get("state.state") != lv.VIR_DOMAIN_PAUSED or stats.get("state.reason") not in elsewhere


def read_description(xml: str) -> Described:
    root = ElementTree.fromstring(xml)
    drives = [disk for disk in root.findall("devices/disk") if disk.get("device") in NO_SERIES]
    targets = (target.get("dev", "") for drive in drives for target in drive.findall("target"))
    return Described(nova(root), frozenset(targets))


def _job(domain: Any) -> Stats:
    """The job under way, unless it is that of being received. Asking for the kind first is cheap: QEMU is not asked.

    A domain of which this cannot be told, for it is gone or its QEMU is stuck, has none.
    """
    lv = libvirt()
    try:
        if domain.jobInfo()[0] == lv.VIR_DOMAIN_JOB_NONE:
            return NO_JOB
        job: Stats = domain.jobStats()
    except lv.libvirtError:
        return NO_JOB
    received = job.get("operation") == lv.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
    return NO_JOB if received or job.get("type") == lv.VIR_DOMAIN_JOB_NONE else job
