"""Plain libvirt hosts behind the Compute port."""

import threading
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime

from watari.drivers.libvirt.asking import Asking
from watari.drivers.libvirt.domains import Domains, Seen
from watari.drivers.libvirt.hosts import Hosts
from watari.drivers.libvirt.marks import Mark, over
from watari.drivers.libvirt.moves import Moves
from watari.drivers.libvirt.settings import LibvirtSettings
from watari.errors import Refused, Transient, WatariError
from watari.model.compute import Flight, Host, HostName, PastMove, Server, ServerId
from watari.ports import Clock, Inventory, Migration, MigrationId, MigrationKind, Style


class LibvirtCloud:
    """Compute of the hosts in one section of libvirt.yaml. May be used by many threads at once.

    `inventory`: four calls per host and three per domain, one more for each domain that is new. A host that does not
    answer is `down`, and its servers are not in the answer.
    """

    limits_moves = True

    def __init__(self, name: str, settings: LibvirtSettings, clock: Clock, where: str = "") -> None:
        self.name, self.settings, self.clock, self.where = name, settings, clock, where
        self.hosts = Hosts(settings)
        self.asking = Asking(float(settings.timeout))
        self.domains = Domains(self.hosts, settings.shared_storage, self.asking)
        self._doors = {host: threading.Lock() for host in self.hosts.connections}
        self.moves = Moves(self.hosts, self.domains, self.asking, settings, clock.now)

    def inventory(self) -> Inventory:
        hosts: dict[HostName, Host] = {}
        seen: list[Seen] = []
        answers = self.asking.all(self.hosts.connections, self._all_of)
        if all(_is_silent(answer) for answer in answers.values()):
            raise Transient(f"no host of {self.name} answers, such as {_why_silent(answers)}")
        for name in self.hosts.connections:
            answer = answers[name]
            if isinstance(answer, WatariError):
                hosts[name] = self.hosts.down(name, str(answer))
                continue
            hosts[name], found = answer
            seen += found
        all_answer = not any(host.state == "down" for host in hosts.values())
        if all_answer:
            self.domains.settled(seen)
        servers = _servers(seen, all_answer)
        coming = {one.server.id: one.server.host for one in seen if one.copied}
        flights = tuple(flight for one in seen if one.leaving and (flight := self._flight(one, coming)) is not None)
        ends = ((one.server, mark) for one in seen if not one.copied for mark in over(one.marks, one.server.host))
        past = {mark.id: _past(server.id, mark) for server, mark in ends}
        return Inventory(self.name, hosts, servers, {}, flights, tuple(past.values()))

    def _all_of(self, name: HostName) -> tuple[Host, list[Seen]]:
        host = self.hosts.read(name)
        return host, [] if host.state == "down" else self.domains.on(name)

    def flights(self) -> tuple[Flight, ...]:
        return self.inventory().flights

    def locate(self, server: ServerId) -> Server | None:
        """Raises Transient when it is on no host that answers, and some do not."""
        seen = self.domains.one(server)
        return None if seen is None else seen.server

    def host(self, name: HostName) -> Host | None:
        if name not in self.hosts.connections:
            return None
        answer = self.asking.all([name], self.hosts.read)[name]
        return self.hosts.down(name, str(answer)) if isinstance(answer, WatariError) else answer

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        """libvirt's own limit is set for the move: whole MiB/s, at least one."""
        if bandwidth_mib_s is not None and not bandwidth_mib_s > 0:
            raise Refused(f"a bandwidth of {bandwidth_mib_s} MiB/s moves nothing; give more than 0, or none")
        seen = self._free(server)
        if seen.server.status != "ACTIVE":
            raise Refused(f"{seen.server.name} is {seen.server.status}; only servers that run move live")
        with self._doors.get(target) or nullcontext():  # one at a time: two do not take the same place
            self._takes(target, seen.server)
            asked = self.moves.announce(seen.server, target)
        return self.moves.start(asked, bandwidth_mib_s, style or Style())

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        raise Refused("servers of plain libvirt hosts move live only: nothing would take a cold move back")

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        raise Refused(
            "plain libvirt hosts keep no description of a dead host's servers: they cannot be rebuilt elsewhere"
        )

    def migration(self, id: MigrationId) -> Migration:
        return self.moves.migration(id)

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        return self.moves.find(server, target, since) if kind == "live" else None

    def abort_migration(self, id: MigrationId) -> None:
        self.moves.abort(id)

    def force_migration(self, id: MigrationId) -> None:
        self.moves.force(id)

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        self.moves.limit(id, mib_s)

    def confirm_migration(self, id: MigrationId) -> None:
        raise Refused(f"move {id} was live: there is nothing to confirm")

    def revert_migration(self, id: MigrationId) -> None:
        raise Refused(f"move {id} was live: there is nothing to revert")

    def disable_host(self, host: HostName, reason: str) -> None:
        """Raises Transient while the host does not answer: the note is kept on the host itself."""
        self._set_out(host, reason)

    def enable_host(self, host: HostName) -> None:
        """Raises like `disable_host`."""
        self._set_out(host, None)

    def _set_out(self, name: HostName, reason: str | None) -> None:
        try:
            self.asking.one(name, lambda host: self.hosts.set_out(host, reason))
        except Transient as e:
            raise Transient(f"{e}; whether {name} is in service is written on it: ask again once it answers") from e

    # Before a move

    def _free(self, server: ServerId) -> Seen:
        """Where it runs, which alone matters: hosts that do not answer keep nobody else's servers from moving."""
        seen = self.domains.one(server)
        if seen is None:
            raise Refused(f"there is no server {server}")
        if seen.leaving or seen.copied:
            raise Refused(f"{seen.server.name} is being moved already")
        if seen.server.pinned_by:
            raise Refused(f"{seen.server.name} cannot move live: {seen.server.pinned_by}")
        return seen

    def _takes(self, target: HostName, server: Server) -> None:
        """What libvirt itself would not mind: another zone, a host out of service, more memory than there is."""
        if target == server.host:
            raise Refused(f"{server.name} is on {target} already")
        host, home = self.host(target), self.host(server.host)
        if host is None or home is None:
            raise Refused(f"there is no host {target}; there are {', '.join(self.hosts.connections)}")
        if host.state != "up":
            raise Refused(f"{target} is {host.state}: {host.state_note or 'no reason given'}")
        if host.zone != home.zone:
            raise Refused(f"{target} is in {host.zone}, {server.name} in {home.zone}: servers never leave their zone")
        there = self.asking.one(target, self.domains.on)
        sizes = {one.server.id: one.server.memory_mib for one in there if one.server.status != "SHUTOFF"}
        used = sum((self.moves.coming(target) | sizes).values())
        if used + server.memory_mib > host.memory_mib:
            left = host.memory_mib - used
            raise Refused(f"{target} has {left} MiB of memory left, {server.name} needs {server.memory_mib}")

    def _flight(self, one: Seen, coming: Mapping[ServerId, HostName]) -> Flight | None:
        """Under way, whoever asked. Of moves that are not ours the target is where it is being received.

        None where that is not seen: the server is MIGRATING all the same, and nobody moves it.
        """
        mark = next((m for m in one.marks if not m.result and m.source == one.server.host), None)
        target = mark.target if mark else coming.get(one.server.id)
        if target is None:
            return None
        return Flight(one.server.id, one.server.host, target, mark.asked if mark else self.clock.now())


def _servers(seen: list[Seen], all_answer: bool) -> dict[ServerId, Server]:
    """Each server once, where it is: what is only being received somewhere counts at its source, silent or not."""
    found: dict[ServerId, Server] = {}
    seen = [one for one in seen if all_answer or not one.copied]
    for one in sorted(seen, key=lambda one: (one.copied, one.server.status not in ("ACTIVE", "MIGRATING"))):
        found.setdefault(one.server.id, one.server)
    return found


def _past(server: ServerId, mark: Mark) -> PastMove:
    return PastMove(server, mark.source, mark.target, mark.ended or mark.asked, mark.result == "done")


def _is_silent(answer: "tuple[Host, list[Seen]] | WatariError") -> bool:
    return isinstance(answer, WatariError) or answer[0].state == "down"


def _why_silent(answers: "Mapping[HostName, tuple[Host, list[Seen]] | WatariError]") -> str:
    name, answer = next(iter(answers.items()))
    return f"{name}: {answer if isinstance(answer, WatariError) else answer[0].state_note}"
