"""Moves as the port tells them: handles resolved to requests and records, progress measured from poll to poll."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watari.drivers.openstack.actions import Action, action, actions
from watari.drivers.openstack.calls import Calls
from watari.drivers.openstack.handles import Handle
from watari.drivers.openstack.records import Copied, Record, copied, record_for, records_of
from watari.drivers.openstack.servers import Servers
from watari.errors import Refused
from watari.model.compute import HostName, ServerId
from watari.ports import Clock, Migration, MigrationKind

KEPT = 4096  # moves that are remembered, only to ask less: everything can be found again
SILENT = timedelta(seconds=60)  # numbers older than that tell no rate, records no moment
DECIDING = ("VERIFY_RESIZE", "REVERT_RESIZE")  # of a cold move whose record may be over already
LOST = timedelta(seconds=120)  # a request without a trace of work for this long, on a server that does nothing, is dead


@dataclass(slots=True)
class Memory:
    """What is known of a move from before."""

    record: Record | None = None
    at: datetime | None = None  # when Nova took the numbers of which the rate is
    sent_mib: float = 0.0
    rate_mib_s: float = 0.0


@dataclass(slots=True)
class Moves:
    """The moves of one cloud, for many threads."""

    calls: Calls
    servers: Servers
    clock: Clock
    _memory: OrderedDict[Handle, Memory] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, handle: Handle) -> Memory:
        with self._lock:
            memory = self._memory.setdefault(handle, Memory())
            while len(self._memory) > KEPT:
                self._memory.popitem(last=False)
            return memory

    def asked_target(self, server: ServerId) -> HostName:
        """The target of the newest move that this process asked for or watched, while it is not over; else empty."""
        with self._lock:
            asked = (h for h, m in reversed(self._memory.items()) if m.record is None or not m.record.over)
            return next((h.target for h in asked if h.server == server), HostName(""))

    def migration(self, handle: Handle) -> Migration:
        """What became of a request. One call while it copies, up to four when it begins or ends.

        Raises Refused for a request that the cloud does not know.
        """
        memory = self.remember(handle)
        known = memory.record
        if known is not None and known.kind == "live" and not known.over and (now := copied(self.calls, known)):
            memory.record = now[0]
            return self._running(handle, memory, now[1])
        if known is None:
            asked = action(self.calls, handle.server, handle.request)
            if asked is None:
                raise Refused(f"cloud {self.calls.cloud} knows no migration {handle.id}")
            known = record_for(asked, records_of(self.calls, handle.server, handle.kind))
            if known is None:
                return self._without_record(handle, asked)
        else:
            records = records_of(self.calls, handle.server, handle.kind)
            known = next((r for r in records if r.number == known.number), known)
        memory.record = known
        if known.kind == "live" and known.word == "running" and (now := copied(self.calls, known)):
            memory.record = now[0]
            return self._running(handle, memory, now[1])
        return self._as_recorded(handle, known)

    def find(self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind) -> Migration | None:
        """The newest request at or after `since` whose target is `target`, as far as Nova tells its target."""
        try:
            asked = list(actions(self.calls, server, kind, since))
        except Refused:  # the cloud does not know the server
            return None
        aim = HostName("") if kind == "evacuation" else target
        records = records_of(self.calls, server, kind) if asked else []
        for each in asked:
            handle = Handle(each.request, kind, server, aim)
            record = record_for(action(self.calls, server, each.request) or each, records)
            if record is not None and aim and record.target not in ("", target):
                continue
            if record is None and self._asked_elsewhere(handle):
                continue
            return self.migration(handle)
        return None

    def _asked_elsewhere(self, handle: Handle) -> bool:
        """Whether this very process made the request for another target; another process's target is not known yet."""
        with self._lock:
            return any(h.request == handle.request and h.target != handle.target for h in self._memory)

    def _running(self, handle: Handle, memory: Memory, progress: Copied | None) -> Migration:
        assert memory.record is not None
        seen = self._report(handle, memory.record)
        if progress is None or memory.record.word != "running":
            return seen
        taken = memory.record.changed  # Nova takes its numbers every few seconds, whenever we look
        last, before = (memory.at, memory.sent_mib) if memory.at else (memory.record.began, 0.0)
        if (seconds := (taken - last).total_seconds()) >= 1.0:
            memory.rate_mib_s = max(progress.sent_mib - before, 0.0) / seconds
            memory.at, memory.sent_mib = taken, progress.sent_mib
        elif self.clock.now() - taken > SILENT:
            memory.rate_mib_s = 0.0
        return replace(
            seen, status="disk" if progress.disk_left else "memory", done_mib=progress.done_mib,
            total_mib=progress.total_mib, rate_mib_s=memory.rate_mib_s,
        )  # fmt: skip

    def _as_recorded(self, handle: Handle, record: Record) -> Migration:
        seen = self._report(handle, record)
        if record.status == "failed":
            asked = action(self.calls, handle.server, handle.request)
            return replace(seen, error=_why(asked.why if asked else "", handle))
        if record.status == "confirm":  # the record says so a moment before the server can be confirmed
            server = self.servers.locate(handle.server)
            return replace(seen, status="confirm" if server and server.status == "VERIFY_RESIZE" else "memory")
        if record.kind == "cold" and record.over and self.clock.now() - record.changed < SILENT:
            server = self.servers.locate(handle.server)  # likewise a moment before it is confirmed, or sent back
            return replace(seen, status="memory") if server and server.status in DECIDING else seen
        return seen

    def _without_record(self, handle: Handle, asked: Action) -> Migration:
        """Taken by the API; the conductor has not begun, or has refused before it made a record."""
        server = self.servers.show(handle.server)
        seen = Migration(
            id=handle.id, server=handle.server, source=server.server.host, target=handle.target, started=asked.began,
            status="queued", kind=handle.kind,
        )  # fmt: skip
        event = asked.conducted
        if event is not None and event.failed:
            return replace(seen, status="failed", error=_why(asked.why, handle))
        if not server.task and self.clock.now() - asked.began > LOST:
            return replace(seen, status="failed", error=_why("Nova took the request and never worked on it", handle))
        return seen

    def _report(self, handle: Handle, record: Record) -> Migration:
        return Migration(
            id=handle.id, server=handle.server, source=record.source, target=record.target or handle.target,
            started=record.began, status=record.status, kind=handle.kind,
        )  # fmt: skip


def _why(words: str, handle: Handle) -> str:
    told = words.rstrip(".") or "Nova does not say why"
    return f"{told}; the logs of nova-conductor and nova-compute have more under {handle.request}"
