"""A real OpenStack cloud behind the Compute port."""

from datetime import datetime
from typing import Any

from watari.drivers.clock import RealTime
from watari.drivers.openstack.actions import actions
from watari.drivers.openstack.calls import Calls, Json, Version
from watari.drivers.openstack.checks import Checks
from watari.drivers.openstack.flights import MOVING, Flights
from watari.drivers.openstack.groups import all_groups
from watari.drivers.openstack.handles import Handle, handle_of
from watari.drivers.openstack.hosts import Hosts
from watari.drivers.openstack.moves import Moves
from watari.drivers.openstack.networks import shared_networks
from watari.drivers.openstack.placement import Placement
from watari.drivers.openstack.records import Record
from watari.drivers.openstack.servers import Servers
from watari.drivers.openstack.settings import Settings
from watari.errors import Refused, Transient
from watari.model.compute import Flight, Host, HostName, Server, ServerGroup, ServerId
from watari.model.reasons import Finding
from watari.ports import Clock, Inventory, Migration, MigrationId, MigrationKind, Style

LIVE = Version("2.95", "2.34", "a live migration that does not keep the caller waiting")
COLD = Version("2.95", "2.56", "a cold migration to a host of our choice")
EVACUATE = Version("2.95", "2.14", "an evacuation")
ABORT = Version("2.95", "2.24", "stopping a live migration")  # from 2.65 on also one that is queued
FORCE = Version("2.95", "2.22", "letting a live migration end soon")
ACT = Version("2.53", "2.1", "an action on a server")


class OpenStackCloud:
    """Compute of one cloud. May be used by many threads at once. Made by `connect`.

    `inventory` of 1,000 servers on 80 hosts: 9 or 10 calls (see docs/reference/openstack.md), one page of each list in
    memory at a time. What it knows from before is only kept to ask less; another process finds everything again.
    """

    limits_moves = False  # Nova's moves copy as fast as its hosts' nova.conf lets them

    def __init__(
        self, calls: Calls, settings: Settings, clock: Clock | None = None, session: Any = None,
        region: str | None = None,
    ) -> None:  # fmt: skip
        """`session` (keystoneauth's) and `region` are for drivers of other services of the same cloud."""
        self.settings, self.session, self.region = settings, session, region
        self.clock: Clock = clock or RealTime()
        self.calls = calls
        self._placement = Placement(calls)
        self._hosts = Hosts(calls, settings, self._placement)
        self._servers = Servers(calls, settings)
        self._checks = Checks(calls, self._servers, self._hosts, self._placement)
        self._moves = Moves(calls, self._servers, self.clock)
        self._flights = Flights(calls, self._servers, self._moves, self.clock)

    @property
    def name(self) -> str:
        return self.calls.cloud

    def inventory(self) -> Inventory:
        """Servers without a host (shelved, never placed) and members of groups that are gone are left out.

        Raises Transient while a cell does not answer: half a picture is none.
        """
        hosts = self._hosts.all()
        servers = {server.id: server for server in self._servers.all() if server.host in hosts}
        groups = {group.id: _known(group, servers) for group in all_groups(self.calls)}
        recent = self._flights.recent()
        moving = [id for id, server in servers.items() if server.status in MOVING]
        flights = tuple(f for f in self._flights.under_way(recent, moving) if f.server in servers)
        return Inventory(
            cloud=self.name, hosts=hosts, servers=servers, groups=groups, flights=flights,
            past=self._flights.over(recent),
        )  # fmt: skip

    def about_networks(self) -> tuple[Finding, ...]:
        """Whether moves share a network with tenants, on the hosts that were read last. One call, or none."""
        return () if self.settings.own_network else shared_networks(self.calls, dict(self._hosts.addresses))

    def flights(self) -> tuple[Flight, ...]:
        """Two calls, and one or two per server that moves without a record of the last day."""
        return self._flights.now()

    def locate(self, server: ServerId) -> Server | None:
        """A server that is on no host (shelved, never placed) has an empty host."""
        return self._servers.locate(server)

    def host(self, name: HostName) -> Host | None:
        return self._hosts.one(name)

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        """Nova tells a single move nothing: `bandwidth_mib_s` is what the caller counts with, the section [libvirt] of
        its hosts' nova.conf (live_migration_…) is what holds. What is refused after 202 is told by `migration`.
        """
        if bandwidth_mib_s is not None and not bandwidth_mib_s > 0:
            raise Refused(f"a bandwidth of {bandwidth_mib_s} MiB/s moves nothing; give more than 0, or none")
        found = self._checks.before(server, target, "live")
        body = {"os-migrateLive": {"host": target, "block_migration": "auto"}}
        return self._ask("live", server, target, LIVE, f"migrate {found.server.name} live to {target}", body)

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        found = self._checks.before(server, target, "cold")
        return self._ask(
            "cold", server, target, COLD, f"migrate {found.server.name} cold to {target}", {"migrate": {"host": target}}
        )

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        """The server comes back SHUTOFF; who starts it is sure by then that its twin is dead. A Nova older than 2.95
        (2023.1) starts what ran by itself.
        """
        found = self._checks.before(server, target, "evacuation")
        host = target or self._checks.choose(found)
        body: Json = {"evacuate": {"host": host} if host else {}}
        return self._ask("evacuation", server, HostName(""), EVACUATE, f"evacuate {found.server.name}", body)

    def migration(self, id: MigrationId) -> Migration:
        return self._moves.migration(handle_of(id))

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        """Finds it from the moment Nova answered. One whose target Nova does not know yet counts as going to `target`;
        `migration` tells the real one later.
        """
        return self._moves.find(server, target, since, kind)

    def abort_migration(self, id: MigrationId) -> None:
        """Raises Transient while Nova still prepares the move: it can be stopped as soon as it waits or copies."""
        record = self._record(handle_of(id), "live", "be aborted")
        what = f"abort migration {record.number} of server {record.server}"
        try:
            self.calls.change("DELETE", f"/servers/{record.server}/migrations/{record.number}", ABORT, what)
        except Refused as e:
            now = self.migration(id)
            if now.over:
                raise
            raise Transient(f"{e}; it is {now.status}: ask again in a moment") from e

    def force_migration(self, id: MigrationId) -> None:
        """By post-copy where nova.conf allows it, else by pausing the guest. Transient while Nova prepares the move."""
        record = self._record(handle_of(id), "live", "be hastened")
        path = f"/servers/{record.server}/migrations/{record.number}/action"
        what = f"hasten migration {record.number} of server {record.server}"
        self.calls.change("POST", path, FORCE, what, {"force_complete": None})

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        """Nothing: see `limits_moves`."""

    def confirm_migration(self, id: MigrationId) -> None:
        self._finish(id, "confirmResize", "confirm")

    def revert_migration(self, id: MigrationId) -> None:
        self._finish(id, "revertResize", "revert")

    def disable_host(self, host: HostName, reason: str) -> None:
        self._hosts.set_service(host, reason)

    def enable_host(self, host: HostName) -> None:
        self._hosts.set_service(host, None)

    def _ask(
        self, kind: MigrationKind, server: ServerId, target: HostName, version: Version, what: str, body: Json
    ) -> MigrationId:
        """The request id of Nova's answer is the handle: the instance action of that id exists by then."""
        since = self.clock.now()
        response = self.calls.change("POST", f"/servers/{server}/action", version, what, body)
        request = response.headers.get("x-openstack-request-id") or response.headers.get("x-compute-request-id")
        if not request:  # a proxy took the header away
            request = next((a.request for a in actions(self.calls, server, kind, since)), None)
        if request is None:
            raise Transient(f"cloud {self.name} took the request to {what}, but does not show it yet; look for it")
        handle = Handle(request, kind, server, target)
        self._moves.remember(handle)
        return handle.id

    def _record(self, handle: Handle, kind: MigrationKind, verb: str) -> Record:
        seen = self._moves.migration(handle)
        if handle.kind != kind or seen.over:
            raise Refused(f"migration {handle.request} is {seen.status}; it cannot {verb}")
        record = self._moves.remember(handle).record
        if record is None:
            raise Transient(f"Nova has not begun with {handle.request}; it can {verb} in a moment")
        return record

    def _finish(self, id: MigrationId, action: str, verb: str) -> None:
        handle = handle_of(id)
        seen = self._moves.migration(handle)
        if seen.kind != "cold" or seen.status != "confirm":
            raise Refused(f"migration {handle.request} is {seen.status}; there is nothing to {verb}")
        what = f"{verb} the migration of server {handle.server}"
        self.calls.change("POST", f"/servers/{handle.server}/action", ACT, what, {action: None})


def _known(group: ServerGroup, servers: dict[ServerId, Server]) -> ServerGroup:
    return ServerGroup(group.id, group.name, group.policy, group.members.intersection(servers))
