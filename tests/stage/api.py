"""The cloud as a worker sees it through its API, with what happens in stories and not in the simulator."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from watari.drivers.sim.cloud import SimCloud
from watari.errors import Transient
from watari.model.compute import Flight, Host, HostName, PastMove, Server, ServerId
from watari.ports import Inventory, Migration, MigrationId, MigrationKind, Style

T = TypeVar("T")
ANYWHERE = HostName("anywhere")


class Killed(Exception):
    """The worker's process ends here."""


@dataclass(slots=True)
class Api:
    """Compute over SimCloud.

    `claims` are hosts as they are listed, whatever they really give; `before` are moves of before the story;
    `deleted` servers are unknown. `asked` counts the requests for each move, whatever came of them. The next
    `unavailable` requests are answered 503 and not taken, the next `lost_answers` are taken and answered 503 all the
    same; with `deadly` set, the worker dies the moment the cloud has taken a request.
    """

    cloud: SimCloud
    claims: dict[HostName, Host]
    before: list[PastMove] = field(default_factory=list)
    deleted: set[ServerId] = field(default_factory=set)
    asked: Counter[tuple[ServerId, HostName]] = field(default_factory=Counter)
    unavailable: int = 0
    lost_answers: int = 0
    deadly: bool = False

    limits_moves: bool = False

    def inventory(self) -> Inventory:
        seen = self.cloud.inventory()
        hosts = {name: self._claimed(host) for name, host in seen.hosts.items()}
        servers = {id: server for id, server in seen.servers.items() if id not in self.deleted}
        return replace(seen, hosts=hosts, servers=servers, past=(*self.before, *seen.past))

    def flights(self) -> tuple[Flight, ...]:
        return self.cloud.flights()

    def locate(self, server: ServerId) -> Server | None:
        found = self.cloud.locate(server)
        return None if server in self.deleted else found

    def host(self, name: HostName) -> Host | None:
        found = self.cloud.host(name)
        return None if found is None else self._claimed(found)

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        self.asked[server, target] += 1
        return self._request(lambda: self.cloud.start_live_migration(server, target, bandwidth_mib_s, style))

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        self.asked[server, target] += 1
        return self._request(lambda: self.cloud.start_cold_migration(server, target))

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        self.asked[server, target or ANYWHERE] += 1
        return self._request(lambda: self.cloud.start_evacuation(server, target))

    def migration(self, id: MigrationId) -> Migration:
        return self.cloud.migration(id)

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        return self.cloud.find_migration(server, target, since, kind)

    def abort_migration(self, id: MigrationId) -> None:
        self.cloud.abort_migration(id)

    def force_migration(self, id: MigrationId) -> None:
        self.cloud.force_migration(id)

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        self.cloud.limit_migration(id, mib_s)

    def confirm_migration(self, id: MigrationId) -> None:
        self._request(lambda: self.cloud.confirm_migration(id))

    def revert_migration(self, id: MigrationId) -> None:
        self._request(lambda: self.cloud.revert_migration(id))

    def disable_host(self, host: HostName, reason: str) -> None:
        self._request(lambda: self.cloud.disable_host(host, reason))

    def enable_host(self, host: HostName) -> None:
        self._request(lambda: self.cloud.enable_host(host))

    def _claimed(self, host: Host) -> Host:
        return replace(host, cpus=self.claims[host.name].cpus)

    def _request(self, call: Callable[[], T]) -> T:
        """Ask for a change, with the story's faults around it."""
        if self.unavailable:
            self.unavailable -= 1
            raise Transient("503 from nova-api")
        answer = call()
        if self.deadly:
            self.deadly = False
            raise Killed
        if self.lost_answers:
            self.lost_answers -= 1
            raise Transient("504 from the load balancer")
        return answer
