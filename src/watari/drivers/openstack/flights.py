"""Moves under way and moves that are over, whoever asked for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from watari.drivers.openstack.calls import Calls
from watari.drivers.openstack.moves import Moves
from watari.drivers.openstack.records import Record, records_of, records_since
from watari.drivers.openstack.servers import Servers
from watari.errors import Refused
from watari.model.compute import Flight, HostName, PastMove, ServerId
from watari.ports import Clock

PAST = timedelta(hours=24)  # how long moves that are over are of interest
# VERIFY_RESIZE waits to be confirmed and is no flight. It must not be asked for, either: together with others it makes
# Nova answer with every server, for it stands for "no task" (nova.api.openstack.common.task_and_vm_state_from_status).
MOVING = ("MIGRATING", "RESIZE", "REVERT_RESIZE", "REBUILD")
TAKEN = ("MIGRATING", "RESIZE")  # Nova's API has said yes; its conductor makes the record


@dataclass(frozen=True, slots=True)
class Flights:
    """Joins what servers show with the migration records of the last day.

    Neither is enough: a server can look ACTIVE on its target while the record still runs; a record can be missing for
    a moment after the request; and a move can wait in a queue for longer than a day.
    """

    calls: Calls
    servers: Servers
    moves: Moves
    clock: Clock

    def recent(self) -> list[Record]:
        """Records that changed within the last day, oldest change first."""
        found = records_since(self.calls, self.clock.now() - PAST)
        return sorted(found, key=lambda r: (r.changed, r.number))

    def over(self, recent: Iterable[Record]) -> tuple[PastMove, ...]:
        """Newest last. Without those that were refused before they had a target, and resizes in place."""
        return tuple(r.past() for r in recent if r.over and r.target and not r.in_place)

    def under_way(self, recent: Iterable[Record], moving: Iterable[ServerId]) -> tuple[Flight, ...]:
        """`moving`: servers whose status says so; one call or two for each of them without a record under way."""
        found = {r.server: self._flight(r) for r in recent if r.flies}
        for server in moving:
            if server not in found and (flight := self._unrecorded(server)):
                found[server] = flight
        return tuple(sorted(found.values(), key=lambda f: (f.since, f.server)))

    def now(self) -> tuple[Flight, ...]:
        """Two calls as a rule: first servers that move, then records; what ends in between is over, not missing."""
        found = self.servers.all(status=list(MOVING))
        moving = [server.id for server in found if server.host and server.status in MOVING]
        return self.under_way(self.recent(), moving)

    def _flight(self, record: Record) -> Flight:
        """A target that Nova does not tell yet is what this process asked for, else the source: nothing is taken."""
        target = record.target or self.moves.asked_target(record.server) or record.source
        return Flight(record.server, record.source, target, record.began)

    def _unrecorded(self, server: ServerId) -> Flight | None:
        try:
            newest = next(iter(records_of(self.calls, server)), None)
            if newest is not None and not newest.over:
                return self._flight(newest) if newest.flies else None
            seen = self.servers.show(server).server
        except Refused:  # deleted meanwhile
            return None
        if seen.status not in TAKEN:
            return None
        target = self.moves.asked_target(server) or HostName(seen.host)
        return Flight(server, seen.host, target, self.clock.now())
