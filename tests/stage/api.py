"""The cloud as a worker sees it through its API, with what happens in stories and not in the simulator."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from watari.drivers.sim.cloud import SimCloud
from watari.errors import Transient
from watari.model.compute import Host, HostName, PastMove, Server, ServerId
from watari.ports import Inventory, Migration, MigrationId


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

    def inventory(self) -> Inventory:
        seen = self.cloud.inventory()
        hosts = {name: replace(host, cpus=self.claims[name].cpus) for name, host in seen.hosts.items()}
        servers = {id: server for id, server in seen.servers.items() if id not in self.deleted}
        return replace(seen, hosts=hosts, servers=servers, past=(*self.before, *seen.past))

    def locate(self, server: ServerId) -> Server | None:
        found = self.cloud.locate(server)
        return None if server in self.deleted else found

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None
    ) -> MigrationId:
        self.asked[server, target] += 1
        if self.unavailable:
            self.unavailable -= 1
            raise Transient("503 from nova-api")
        id = self.cloud.start_live_migration(server, target, bandwidth_mib_s)
        if self.deadly:
            self.deadly = False
            raise Killed
        if self.lost_answers:
            self.lost_answers -= 1
            raise Transient("504 from the load balancer")
        return id

    def migration(self, id: MigrationId) -> Migration:
        return self.cloud.migration(id)

    def find_migration(self, server: ServerId, target: HostName, since: datetime) -> Migration | None:
        return self.cloud.find_migration(server, target, since)

    def abort_migration(self, id: MigrationId) -> None:
        self.cloud.abort_migration(id)
