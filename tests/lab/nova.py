"""The lab's cloud as its own administrator sees it, past Watari: what is where, and what Nova was asked for."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from openstack.connection import Connection

from command import until
from lab.parts import Part
from watari.lab.clouds import DEMO, connect
from watari.lab.lab import Lab
from watari.lab.nova import compute_service
from watari.model.compute import HostName, Server, ServerId

TINY = {"ram": 128, "vcpus": 1, "disk": 1}
PAGE = 100


@dataclass(frozen=True, slots=True)
class Moved:
    """A row of Nova's own list of migrations."""

    number: int
    server: str
    source: str
    target: str
    status: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as Nova shows it; `host` is empty before it is on one."""

    id: str
    name: str
    status: str
    task: str
    host: str
    vcpus: int
    memory_mib: int


class Nova:
    """Questions and orders to the lab's OpenStack, about the hosts and servers of one part of it."""

    def __init__(self, lab: Lab, part: Part) -> None:
        self.lab, self.part = lab, part
        self._hosts = part.hosts_in(lab.spec)
        self.cloud: Connection = connect(lab.place)
        self.compute: Any = self.cloud.compute
        self._demo: Any = connect(lab.place, DEMO)

    # What is there

    def servers(self) -> dict[str, Seen]:
        """By name, of all projects. As Nova writes them: the SDK's objects cost the tests more time than Nova does."""
        found = [seen for zone in self.part.zones for seen in self._listed(f"availability_zone={zone}")]
        return {server.name: server for server in found}

    def anywhere(self, name: str) -> Seen | None:
        """A server of ours that Nova may have taken to any zone, as it does when it resizes."""
        return next(iter(self._listed(f"name=^{name}$")), None)

    def _listed(self, which: str) -> list[Seen]:
        answer = self.compute.get(f"/servers/detail?all_tenants=1&{which}", microversion="2.95")
        return [_seen(row) for row in answer.json()["servers"]]

    def server(self, name: str) -> Server:
        """As a plan wants it."""
        return _model(self.servers()[name])

    def some(self, names: Iterable[str]) -> list[Server]:
        found = self.servers()
        return [_model(found[name]) for name in names]

    def places(self) -> dict[str, str]:
        """The host of every server, by its name."""
        return {name: server.host for name, server in self.servers().items()}

    def on(self, host: str) -> set[str]:
        return {name for name, where in self.places().items() if where == host}

    def twice(self) -> dict[str, list[str]]:
        """Servers that run on more than one host, as the hosts' own virt drivers see them."""
        homes: dict[str, list[str]] = {}
        for host in self._hosts:
            for id in self.lab.servers_on(host):
                homes.setdefault(id, []).append(host)
        return {id: hosts for id, hosts in homes.items() if len(hosts) != 1}

    def troubled(self) -> list[str]:
        """Servers in ERROR, or that Nova still does something with."""
        return [
            f"{name} {server.status} {server.task}"
            for name, server in self.servers().items()
            if server.status not in ("ACTIVE", "SHUTOFF") or server.task
        ]

    def at_rest(self) -> None:
        """Wait until nothing goes on, no server is in ERROR and every server runs once."""
        until("Nova to come to rest", lambda: not self.troubled() and not self.twice())

    def missing_services(self) -> list[str]:
        """Services of the lab that do not run, but for the hosts of other parts."""
        others = {compute_service(host) for host in self.lab.spec.hosts if host not in self._hosts}
        services = self.lab.services
        return [name for name in services.units if name not in others and services.identity(name) is None]

    # What was asked for

    def mark(self) -> int:
        """The newest migration by now."""
        return max((row["id"] for row in self._migrations()), default=0)

    def since(self, mark: int) -> list[Moved]:
        """Migrations off our hosts that were made after the mark, oldest first."""
        rows = (row for row in self._migrations(mark) if row["id"] > mark and row["source_compute"] in self._hosts)
        found = [Moved(r["id"], r["instance_uuid"], r["source_compute"], r["dest_compute"], r["status"]) for r in rows]
        return sorted(found, key=lambda moved: moved.number)

    def _migrations(self, since: int | None = None) -> list[dict[str, Any]]:
        """The newest page, or with `since` as many as go back to that number."""
        path: str | None = f"/os-migrations?limit={PAGE}"
        rows: list[dict[str, Any]] = []
        while path:
            body = self.compute.get(path, microversion="2.59").json()
            rows += body["migrations"]
            links = {link["rel"]: link["href"] for link in body.get("migrations_links", ())}
            goes_on = since is not None and rows and rows[-1]["id"] > since
            path = links.get("next") if goes_on else None
        return rows

    # Changes

    def ask_boot(self, names: Sequence[str], hosts: Sequence[str]) -> None:
        """Ask for small servers without networks, spread over the hosts in turn; those that exist are left."""
        have = self.servers()
        image = next(iter(self._demo.image.images())).id
        size = f"tiny-{self.part.name}"
        flavor = self.compute.find_flavor(size) or self.compute.create_flavor(name=size, **TINY)

        def create(row: tuple[int, str]) -> None:
            number, name = row
            self._demo.compute.create_server(
                name=name, image_id=image, flavor_id=flavor.id, networks="none", host=hosts[number % len(hosts)]
            )

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(create, ((i, name) for i, name in enumerate(names) if name not in have)))

    def booted(self, names: Sequence[str]) -> list[Server]:
        """The servers, once they run."""

        def run() -> bool:
            found = self.servers()
            return {found[name].status if name in found else "" for name in names} == {"ACTIVE"}

        until(f"{len(names)} servers to boot", run, timeout_s=180.0, every_s=1.0)
        return self.some(names)

    def delete(self, name: str) -> None:
        if server := self.anywhere(name):
            self.compute.delete_server(server.id, force=True)
        until(f"{name} to be deleted", lambda: self.anywhere(name) is None)

    def move(self, name: str, target: str) -> None:
        """Move a server past Watari, and wait until it is there."""
        body = {"os-migrateLive": {"host": target, "block_migration": "auto"}}
        id = self.servers()[name].id
        answer = self.compute.post(f"/servers/{id}/action", json=body, microversion="2.95")
        assert answer.status_code == 202, answer.text
        until(f"{name} to be on {target}", lambda: self.places()[name] == target and not self.troubled())

    def down(self, host: str) -> None:
        """Wait until Nova takes a host for dead, as it finds out by itself."""
        until(f"Nova to miss {host}", lambda: self._state(host) == "down", timeout_s=60.0)

    def up(self, host: str) -> None:
        until(f"Nova to hear from {host}", lambda: self._state(host) == "up", timeout_s=60.0)

    def service(self, host: str) -> Any:
        """Nova's record of a host's nova-compute."""
        return next(iter(self.compute.services(binary="nova-compute", host=host)))

    def _state(self, host: str) -> str:
        return str(self.service(host).state)


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(
        row["id"], row["name"], row["status"], row["OS-EXT-STS:task_state"] or "",
        row["OS-EXT-SRV-ATTR:host"] or "", row["flavor"]["vcpus"], row["flavor"]["ram"],
    )  # fmt: skip


def _model(server: Seen) -> Server:
    host = HostName(server.host)
    return Server(ServerId(server.id), server.name, host, server.vcpus, server.memory_mib, status=server.status)
