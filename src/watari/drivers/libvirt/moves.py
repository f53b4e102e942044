"""Moves between libvirt hosts: asked for from a thread, told by where the domain is, whoever asked.

The source's daemon carries a move out (peer to peer): it goes on when the process that asked for it is gone. What that
process knew is in the domain's own metadata (marks.py): any other one finds the move and says what became of it.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from watari.drivers.libvirt.asking import Asking
from watari.drivers.libvirt.domains import RUNS, Domains, Seen, copied_disks, job_of
from watari.drivers.libvirt.hosts import Hosts
from watari.drivers.libvirt.library import clean, libvirt, told
from watari.drivers.libvirt.marks import Mark, ended, over, write_mark
from watari.drivers.libvirt.settings import LibvirtSettings
from watari.errors import Refused, Transient, WatariError
from watari.model.compute import HostName, Server, ServerId
from watari.ports import Migration, MigrationId, MigrationStatus, Style

log = logging.getLogger(__name__)
BEGIN_S: Final = 3.0  # how long a request is watched for an answer of "no" before it counts as taken
LOST: Final = timedelta(seconds=60)  # a mark without a job, on a domain that runs at its source, is dead after this
MIB: Final = 2**20
T = TypeVar("T")


@dataclass(slots=True)
class Asked:
    """A move that this process asked for."""

    mark: Mark
    server: ServerId
    name: str = ""
    memory_mib: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    why: str = ""  # what libvirt said when it failed
    aborted: bool = False


@dataclass(slots=True)
class Moves:
    """The moves of one cloud, for many threads."""

    hosts: Hosts
    domains: Domains
    asking: Asking
    settings: LibvirtSettings
    now: Callable[[], datetime]
    _asked: dict[str, Asked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def announce(self, server: Server, target: HostName) -> Asked:
        """Take it down before anything is asked: from now on its place counts as taken, until it is over.

        Raises Refused while this process moves the server already.
        """
        now = self.now()
        id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}/{server.id}/{server.host}/{target}"
        asked = Asked(Mark(id, server.host, target, now), server.id, server.name, server.memory_mib)
        with self._lock:
            if any(other.server == server.id and not other.over.is_set() for other in self._asked.values()):
                raise Refused(f"{server.name} is being moved already")
            self._asked[id] = asked
        return asked

    def coming(self, target: HostName) -> dict[ServerId, int]:
        """MiB of memory of the servers that this process is moving there, which libvirt may not show there yet."""
        with self._lock:
            asked = list(self._asked.values())
        return {one.server: one.memory_mib for one in asked if one.mark.target == target and not one.over.is_set()}

    def start(self, asked: Asked, bandwidth_mib_s: float | None, style: Style) -> MigrationId:
        """Ask and return once it copies, or after BEGIN_S. Raises Refused with libvirt's words."""
        mark = asked.mark
        try:
            connection = self.asking.one(mark.source, lambda host: self.hosts.connection(host).fresh())
            self._on(mark.source, asked.server, "write down a move", lambda d: write_mark(d, mark), change=True)
        except WatariError:
            asked.over.set()
            with self._lock:
                del self._asked[mark.id]
            raise
        arguments = (connection, asked, bandwidth_mib_s, style)
        threading.Thread(target=self._carry, args=arguments, daemon=True, name=f"move-{asked.name}").start()
        end = time.monotonic() + BEGIN_S
        while time.monotonic() < end and not asked.over.wait(0.1):
            if self._on(mark.source, asked.server, "look at a move", job_of) == "out":
                break
        if asked.over.is_set() and asked.why:
            raise Refused(f"libvirt will not move {asked.name} to {mark.target}: {asked.why}")
        return MigrationId(mark.id)

    def migration(self, id: str) -> Migration:
        """Raises Refused for a move that no domain knows."""
        server, *ends = _parts(id)
        found, silent = self.domains.find(server, [end for end in ends if end in self.hosts.connections])
        if not any(mark.id == id for one in found for mark in one.marks):
            found, silent = self.domains.find(server)  # it has moved on since
        mark = next((m for one in found for m in one.marks if m.id == id), None)
        if mark is None:
            if silent and not _runs(found):
                raise Transient(f"move {id} may be known on {', '.join(silent)}, which does not answer")
            raise Refused(f"no domain knows of a move {id}")
        return self._told(mark, server, found, silent)

    def find(self, server: ServerId, target: HostName, since: datetime) -> Migration | None:
        """Raises Transient where hosts are silent and the server runs on none of the others: it knows its moves."""
        found, silent = self.domains.find(server)
        marks = {m.id: m for one in found for m in sorted(one.marks, key=lambda m: bool(m.result))}
        ours = [m for m in marks.values() if m.target == target and m.asked >= since and m.kind == "live"]
        if not ours and silent and not _runs(found):
            raise Transient(f"a move of {server} may be known on {', '.join(silent)}, which does not answer")
        newest = max(ours, key=lambda m: m.asked, default=None)
        return None if newest is None else self._told(newest, server, found, silent)

    def abort(self, id: str) -> None:
        """Raises Refused once it is over."""
        server, *_ = _parts(id)
        seen = self.migration(id)
        if seen.over:
            raise Refused(f"move {id} is {seen.status}; it cannot be aborted")
        with self._lock:
            if id in self._asked:
                self._asked[id].aborted = True

        def stop(domain: Any) -> None:
            if job_of(domain) != "out":
                raise Transient(f"move {id} has not begun to copy, or is just over: ask again in a moment")
            domain.abortJob()

        self._on(seen.source, server, "abort a move", stop, change=True)

    def force(self, id: str) -> None:
        """Let it end soon: what is not copied yet follows when the server runs at the target already (post-copy)."""
        server, *_ = _parts(id)
        seen = self.migration(id)
        if seen.over:
            raise Refused(f"move {id} is {seen.status}; there is nothing to hasten")
        self._on(seen.source, server, "switch a move to post-copy", lambda d: d.migrateStartPostCopy(0), change=True)

    def limit(self, id: str, mib_s: float) -> None:
        """From now on it copies at that rate at most."""
        server, *_ = _parts(id)
        seen = self.migration(id)
        if seen.status == "disk":
            raise Refused(f"move {id} copies disks: how fast it does cannot be changed")
        most = max(1, int(mib_s))
        if not seen.over:
            self._on(seen.source, server, "limit a move", lambda d: d.migrateSetMaxSpeed(most, 0), change=True)

    # What became of it

    def _told(self, mark: Mark, server: ServerId, found: list[Seen], silent: list[HostName]) -> Migration:
        """Where the domain is decides; the mark's word only when nothing goes on any more."""
        here = {one.server.host: one for one in found if not one.copied}
        base = Migration(MigrationId(mark.id), server, mark.source, mark.target, mark.asked, "queued")
        source = here.get(mark.source)
        if source is not None and source.leaving and source.marks and source.marks[0].id == mark.id:
            return self._running(base, server)
        for one in here.values():
            if any(later.asked > mark.asked for later in one.marks):  # it has moved on since
                end = next((end for end in over(one.marks, one.server.host) if end.id == mark.id), mark)
                return replace(base, status=_status(end.result), error=end.why)
        if _arrived(here.get(mark.target), source, known=mark.source not in silent):
            return self._closed(base, mark, "done", "")
        if mark.result:
            return replace(base, status=_status(mark.result), error=mark.why)
        with self._lock:
            asked = self._asked.get(mark.id)
        if asked is not None and not asked.over.is_set():
            return base
        runs = source is not None and source.server.status == "ACTIVE"  # libvirt resumes it only when nothing arrived
        if not runs and (mark.source in silent or mark.target in silent):
            raise Transient(f"what became of move {mark.id} cannot be told: {', '.join(silent)} does not answer")
        if asked is not None and not asked.why:  # it ended well since the hosts were looked at
            raise Transient(f"move {mark.id} has just ended: look again")
        if asked is not None:
            gone = f"{mark.target} does not answer any more: " if mark.target in silent else ""
            return self._closed(base, mark, "aborted" if asked.aborted else "failed", gone + asked.why)
        if self.now() - mark.asked < LOST:
            return base
        return self._closed(
            base, mark, "failed", "it is not under way, and nobody knows why: see the source's libvirtd log"
        )

    def _running(self, base: Migration, server: ServerId) -> Migration:
        stats = self._on(base.source, server, "look at a move", lambda domain: domain.jobStats())
        total, done = stats.get("data_total", 0), stats.get("data_processed", 0)
        rate = stats.get("memory_bps", 0) + stats.get("disk_bps", 0)
        copying_disk = stats.get("disk_remaining", 0) > 0
        return replace(
            base, status="disk" if copying_disk else "memory", done_mib=done / MIB, total_mib=total / MIB,
            rate_mib_s=rate / MIB,
        )  # fmt: skip

    def _closed(self, base: Migration, mark: Mark, result: str, why: str) -> Migration:
        """Write what became of it where the domain is, for whoever asks later; not being able to is no harm."""
        if not mark.result:
            host = mark.target if result == "done" else mark.source
            try:
                end = ended(mark, self.now(), result, why)
                self._on(host, base.server, "write down how a move ended", lambda d: write_mark(d, end), change=True)
            except WatariError as e:
                log.info("%s", e)
        return replace(base, status=_status(result), error=why)

    def _on(self, host: HostName, server: ServerId, what: str, do: Callable[[Any], T], *, change: bool = False) -> T:
        """Do something with a server's domain. Raises like `Connection.use`, and Transient once it takes too long."""

        def ask(name: HostName) -> T:
            with self.hosts.connection(name).use(what, change=change) as c:
                return do(c.lookupByUUIDString(str(server)))

        return self.asking.one(host, ask)

    # The call that takes as long as the move

    def _carry(self, connection: Any, asked: Asked, bandwidth_mib_s: float | None, style: Style) -> None:
        lv, mark = libvirt(), asked.mark
        try:
            with told("move", change=True):
                domain = connection.lookupByUUIDString(str(asked.server))
                uri, params, flags = self._how(domain, mark, bandwidth_mib_s, style)
                threading.Thread(target=self._shape, args=(asked, style), daemon=True).start()
                domain.migrateToURI3(uri, params, flags)
        except WatariError as e:
            cause = e.__cause__
            asked.why = clean(cause) if isinstance(cause, lv.libvirtError) else str(e)
        finally:
            asked.over.set()
            connection.close()

    def _how(
        self, domain: Any, mark: Mark, bandwidth_mib_s: float | None, style: Style
    ) -> tuple[str, dict[str, Any], int]:
        lv, target = libvirt(), self.settings.hosts[mark.target]
        flags = lv.VIR_MIGRATE_LIVE | lv.VIR_MIGRATE_PEER2PEER | lv.VIR_MIGRATE_ABORT_ON_ERROR
        if domain.isPersistent():
            flags |= lv.VIR_MIGRATE_PERSIST_DEST | lv.VIR_MIGRATE_UNDEFINE_SOURCE
        if style.auto_converge:
            flags |= lv.VIR_MIGRATE_AUTO_CONVERGE
        if style.post_copy_after_s is not None:
            flags |= lv.VIR_MIGRATE_POSTCOPY
        if not self.settings.shared_storage:
            flags |= lv.VIR_MIGRATE_NON_SHARED_DISK
        params: dict[str, Any] = {}
        if bandwidth_mib_s is not None:
            streams = 1 if self.settings.shared_storage else max(1, copied_disks(domain.XMLDesc()))
            params[lv.VIR_MIGRATE_PARAM_BANDWIDTH] = max(1, int(bandwidth_mib_s / streams))  # libvirt's is of each
        if target.move_address is not None:
            params[lv.VIR_MIGRATE_PARAM_URI] = target.move_address
        return target.peer_uri or target.uri, params, flags

    def _shape(self, asked: Asked, style: Style) -> None:
        """The pause that is allowed at the end can only be set while the move is under way."""

        def pause(domain: Any) -> bool:
            copies = job_of(domain) == "out"
            if copies:
                domain.migrateSetMaxDowntime(max(1, int(style.max_downtime_s * 1000)), 0)
            return copies

        while not asked.over.wait(0.1):
            try:
                if self._on(asked.mark.source, asked.server, "set a move's pause", pause, change=True):
                    return
            except WatariError as e:
                log.info("%s", e)
                return


def _runs(found: list[Seen]) -> bool:
    return any(one.server.status in RUNS and not one.copied for one in found)


def _arrived(target: Seen | None, source: Seen | None, *, known: bool) -> bool:
    """Whether it is at its target: its source has no such domain any more, or one that is off beside one that runs.

    Not `known`: the source is silent. libvirt resumes a guest there when it does not hear of its arrival.
    """
    if target is None:
        return False
    if source is None:
        return known
    return source.server.status == "SHUTOFF" and target.server.status in RUNS


def _parts(id: str) -> tuple[ServerId, HostName, HostName]:
    """Raises Refused for what is no id of ours."""
    parts = id.split("/")
    if len(parts) != 4:
        raise Refused(f"no domain knows of a move {id}")
    return ServerId(parts[1]), HostName(parts[2]), HostName(parts[3])


def _status(result: str) -> MigrationStatus:
    return "done" if result == "done" else "aborted" if result == "aborted" else "failed"


def utc_now() -> datetime:
    return datetime.now(UTC)
