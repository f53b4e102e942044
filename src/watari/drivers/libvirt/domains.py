"""Domains as servers: what a host's libvirt shows of them, in few calls, and where one is now."""

import contextlib
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from xml.etree import ElementTree

from watari.drivers.libvirt.asking import Asking
from watari.drivers.libvirt.hosts import Hosts
from watari.drivers.libvirt.library import is_missing, libvirt
from watari.drivers.libvirt.marks import Mark, read_marks
from watari.errors import Transient, WatariError
from watari.model.compute import HostName, Server, ServerId

NOVA: Final = "{http://openstack.org/xmlns/libvirt/nova/1.1}"
NOVA_OLD: Final = "{http://openstack.org/xmlns/libvirt/nova/1.0}"
OWN: Final = "{https://watari.dev/xmlns/server/1}"
GIB: Final = 2**30
CHANGES, CHANGE_S = 4, 0.1  # a domain is looked at again so often, after so long, when it changed in between
Job = Literal["", "out", "in"]
LIVE_ONLY: Final = "plain libvirt hosts move servers live only"
RUNS: Final = ("ACTIVE", "MIGRATING")


@dataclass(frozen=True, slots=True)
class About:
    """What a domain's description says and does not change while it runs."""

    name: str
    memory_mib: int
    vcpus: int
    disk_gib: int
    project: str = ""
    flavor: str = ""
    pinned_by: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nova:
    """What Nova says of a server in its domain's metadata; empty without Nova."""

    name: str = ""
    flavor: str = ""
    project_id: str = ""
    project_name: str = ""
    user_id: str = ""
    user_name: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One domain on one host. `copied`: it is only being received there; the guest runs elsewhere, if it does."""

    server: Server
    copied: bool
    leaving: bool  # a move of it is under way, away from this host
    marks: tuple[Mark, ...]


@dataclass(slots=True)
class Domains:
    """All domains of the cloud. What they are called and what they are made of is read once per domain and host."""

    hosts: Hosts
    shared_storage: bool
    asking: Asking
    _about: dict[HostName, dict[str, tuple[int, About]]] = field(default_factory=dict)  # by UUID, with the run's id
    _last: dict[ServerId, HostName] = field(default_factory=dict)  # only to look there first
    _off: dict[ServerId, HostName] = field(default_factory=dict)  # as seen when all hosts answered
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, host: HostName) -> list[Seen]:
        """Every domain of a host: three calls, one more for each that is new, one for the moves of each.

        Raises Transient while the host does not answer.
        """
        with self.hosts.connection(host).use("list its domains") as c:
            rows = c.listAllDomains(0)
            seen = [one for domain in rows if (one := self._seen(host, domain)) is not None]
        here = {str(one.server.id) for one in seen}
        with self._lock:
            self._about[host] = {id: known for id, known in self._about.get(host, {}).items() if id in here}
            self._last.update({one.server.id: host for one in seen if not one.copied})
        return seen

    def find(self, id: ServerId, hosts: Collection[HostName] = ()) -> tuple[list[Seen], list[HostName]]:
        """Where a server is, copies under way included; and the hosts that did not answer. `hosts`: ask only these."""

        def look(host: HostName) -> Seen | None:
            with self.hosts.connection(host).use("look for a domain") as c:
                return self._seen(host, self._named(c, id))

        answers = self.asking.all(hosts or self.hosts.connections, look)
        found = [answer for answer in answers.values() if isinstance(answer, Seen)]
        silent = {host: answer for host, answer in answers.items() if isinstance(answer, WatariError)}
        lasting = [error for error in silent.values() if not isinstance(error, Transient)]
        if lasting and len(lasting) == len(answers):  # one host that lets nobody in says nothing of the others
            raise lasting[0]
        return found, list(silent)

    def one(self, id: ServerId) -> Seen | None:
        """The server where it is, not where it is being received. None if it is nowhere.

        Raises Transient when it is on no host that answers, and some do not: it may be there.
        """
        last = self._last.get(id)
        if last is not None:  # mostly it is where it was: thousands of hosts are not asked for one server
            found, _ = self.find(id, [last])
            if found and not found[0].copied and found[0].server.status in RUNS:
                return found[0]
        found, silent = self.find(id)
        real = [one for one in found if not one.copied]
        if not real and not silent:
            real = found
        sure = not silent or any(one.server.status in RUNS or self._off.get(id) == one.server.host for one in real)
        if real and sure:  # else a definition that is left over may be all that is seen of one that runs elsewhere
            one = min(real, key=lambda one: (one.server.status not in RUNS, one.server.host))
            with self._lock:
                self._last[id] = one.server.host
            return one
        if silent:
            raise Transient(f"server {id} may be on {', '.join(silent)}, which does not answer")
        return None

    def settled(self, seen: Collection[Seen]) -> None:
        """Every host has answered with these: what is off is off where it is, and runs nowhere."""
        runs = {one.server.id for one in seen if one.server.status in RUNS}
        off = {one.server.id: one.server.host for one in seen if one.server.id not in runs and not one.copied}
        with self._lock:
            self._off = off

    def _named(self, c: Any, id: ServerId) -> Any:
        try:
            return c.lookupByUUIDString(str(id))
        except libvirt().libvirtError as e:
            if is_missing(e) or e.get_error_code() == libvirt().VIR_ERR_INVALID_ARG:  # no UUID at all
                return None
            raise

    def _seen(self, host: HostName, domain: Any) -> Seen | None:
        """None for a domain that is gone meanwhile. Raises Transient for one that does not stop changing."""
        lv = libvirt()
        for _ in range(CHANGES):
            try:
                return None if domain is None else self._read(host, domain)
            except lv.libvirtError as e:
                if is_missing(e):
                    return None
                if e.get_error_code() != lv.VIR_ERR_OPERATION_INVALID:
                    raise
                time.sleep(CHANGE_S)  # it ended between two questions: what follows is that it is gone, or off
        raise Transient(f"a domain on {host} changes while it is looked at")

    def _read(self, host: HostName, domain: Any) -> Seen:
        lv = libvirt()
        id = ServerId(domain.UUIDString())
        state, reason = domain.state()
        job, marks = job_of(domain), read_marks(domain)
        about = self._of(host, domain, still=job == "" and state != lv.VIR_DOMAIN_PAUSED)
        begins = (lv.VIR_DOMAIN_PAUSED_MIGRATION, lv.VIR_DOMAIN_PAUSED_STARTING_UP)
        received = state == lv.VIR_DOMAIN_PAUSED and reason in begins and marks_to(host, marks)
        copied = job == "in" or (job == "" and received)
        leaving = job == "out"
        status = "MIGRATING" if leaving else _status(state)
        server = Server(
            id, about.name, host, about.vcpus, about.memory_mib, about.disk_gib, about.project, about.flavor, status,
            frozenset(), about.pinned_by, about.metadata, LIVE_ONLY,
        )  # fmt: skip
        return Seen(server, copied, leaving, marks)

    def _of(self, host: HostName, domain: Any, *, still: bool) -> About:
        """`still`: nothing goes on with it. Only then it is asked how large its disks are: it would not answer else."""
        id, run = domain.UUIDString(), domain.ID()
        with self._lock:
            known = self._about.setdefault(host, {}).get(id)
        if known is None or known[0] != run:
            sizes = domain if still and not self.shared_storage else None
            known = run, about(domain.XMLDesc(), sizes)
            if still or self.shared_storage:
                with self._lock:
                    self._about[host][id] = known
        return known[1]


def job_of(domain: Any) -> Job:
    """Whether a move away from here is under way, or one to here; backups and saves are none."""
    lv = libvirt()
    if not domain.isActive():
        return ""
    try:
        if domain.jobInfo()[0] == lv.VIR_DOMAIN_JOB_NONE:
            return ""
        moves = domain.jobStats().get("operation") == lv.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    except lv.libvirtError as e:
        if e.get_error_code() == lv.VIR_ERR_OPERATION_UNSUPPORTED:  # only a source knows how far a move is
            return "in"
        raise
    return "out" if moves else ""


def marks_to(host: HostName, marks: tuple[Mark, ...]) -> bool:
    """Whether the newest move is one to this host that nobody has called over."""
    return bool(marks) and marks[0].target == host and not marks[0].result


def about(xml: str, sizes: Any = None) -> About:
    """Read a domain's description. `sizes`: the domain, to ask how large its disks are; None: none is copied."""
    root = ElementTree.fromstring(xml)
    said = nova(root)
    own = {e.get("key", ""): e.text or "" for e in root.findall(f"metadata/{OWN}server/{OWN}meta")}
    unit = {"KiB": 1024, "MiB": 2**20, "GiB": 2**30, "b": 1, "bytes": 1}
    memory = root.find("memory")
    size = int(memory.text or 0) * unit.get(memory.get("unit", "KiB"), 1024) if memory is not None else 0
    disk_gib = 0 if sizes is None else _disk_gib(root, sizes)
    vcpus = root.find("vcpu")
    count = int((vcpus.get("current") or vcpus.text or 1) if vcpus is not None else 1)
    name = said.name or root.findtext("name") or ""
    return About(name, size // 2**20, count, disk_gib, said.project_id, said.flavor, _pinned(root), own)


def nova(root: ElementTree.Element) -> Nova:
    """What Nova wrote into a domain's description."""
    for space in (NOVA, NOVA_OLD):
        instance = root.find(f"metadata/{space}instance")
        if instance is not None:
            flavor = _below(instance, f"{space}flavor")
            project, user = (_below(instance, f"{space}owner/{space}{who}") for who in ("project", "user"))
            return Nova(
                instance.findtext(f"{space}name") or "", flavor.get("name", ""), project.get("uuid", ""),
                project.text or "", user.get("uuid", ""), user.text or "",
            )  # fmt: skip
    return Nova()


def _below(element: ElementTree.Element, path: str) -> ElementTree.Element:
    """An empty element where there is none."""
    found = element.find(path)
    return ElementTree.Element("none") if found is None else found


def copied_disks(xml: str) -> int:
    """How many disks a move copies where storage is not shared."""
    return len(_local_disks(ElementTree.fromstring(xml)))


def _local_disks(root: ElementTree.Element) -> list[str]:
    """Disks in files or on devices of the host: a move copies them. Read-only and shareable ones are left out."""
    found = []
    for disk in root.findall("devices/disk"):
        local = disk.get("type") in ("file", "block") and disk.get("device", "disk") == "disk"
        target = disk.find("target")
        if local and target is not None and disk.find("readonly") is None and disk.find("shareable") is None:
            found.append(target.get("dev", ""))
    return found


def _disk_gib(root: ElementTree.Element, domain: Any) -> int:
    total = 0
    for disk in _local_disks(root):
        with contextlib.suppress(libvirt().libvirtError):  # a file that is gone: its move says so
            total += domain.blockInfo(disk)[0]
    return -(-total // GIB)


def _pinned(root: ElementTree.Element) -> str:
    """Why it can never move live: a device of the host in it."""
    hostdev = root.find("devices/hostdev")
    if hostdev is not None:
        return f"a {hostdev.get('type', 'host')} device of its host"
    if root.find("devices/interface[@type='hostdev']") is not None:
        return "a network device of its host"
    return ""


def _status(state: int) -> str:
    lv = libvirt()
    words = {
        lv.VIR_DOMAIN_RUNNING: "ACTIVE", lv.VIR_DOMAIN_BLOCKED: "ACTIVE", lv.VIR_DOMAIN_PAUSED: "PAUSED",
        lv.VIR_DOMAIN_PMSUSPENDED: "SUSPENDED", lv.VIR_DOMAIN_SHUTDOWN: "ACTIVE", lv.VIR_DOMAIN_SHUTOFF: "SHUTOFF",
        lv.VIR_DOMAIN_CRASHED: "ERROR",
    }  # fmt: skip
    return words.get(state, "UNKNOWN")
