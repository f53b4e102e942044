"""The lab's cloud as its own administrator sees it, past Watari: what is where, and what Nova was asked for."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from openstack.connection import Connection

from lab.cli import until
from lab.parts import Part
from watari.lab.clouds import DEMO, connect
from watari.lab.lab import Lab
from watari.lab.nova import compute_service
from watari.model.compute import HostName, Server, ServerId

TINY = {"ram": 128, "vcpus": 1, "disk": 1}
OVER = ("completed", "error", "failed", "cancelled", "confirmed", "reverted", "done")


@dataclass(frozen=True, slots=True)
class Moved:
    """A row of Nova's own list of migrations."""

    number: int
    server: str
    source: str
    target: str
    status: str


class Nova:
    """Questions and orders to the lab's OpenStack, about the hosts and servers of one part of it."""

    def __init__(self, lab: Lab, part: Part) -> None:
        self.lab, self.part = lab, part
        self._hosts = part.hosts_in(lab.spec)
        self.cloud: Connection = connect(lab.place)
        self.compute: Any = self.cloud.compute
        self._demo: Any = connect(lab.place, DEMO)

    # What is there

    def servers(self) -> dict[str, Any]:
        """By name, of all projects."""
        found = self.compute.servers(all_projects=True)
        return {s.name: s for s in found if s.compute_host in self._hosts or s.name in self.part.names}

    def server(self, name: str) -> Server:
        """As a plan wants it."""
        return _model(self.servers()[name])

    def some(self, names: Iterable[str]) -> list[Server]:
        found = self.servers()
        return [_model(found[name]) for name in names]

    def places(self) -> dict[str, str]:
        """The host of every server, by its name."""
        return {name: server.compute_host for name, server in self.servers().items()}

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
            f"{name} {server.status} {server.task_state or ''}"
            for name, server in self.servers().items()
            if server.status not in ("ACTIVE", "SHUTOFF") or server.task_state
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
        return max((row["id"] for row in self._migrations(limit=1)), default=0)

    def since(self, mark: int) -> list[Moved]:
        """Migrations that were made after the mark, oldest first."""
        rows = [row for row in self._migrations() if row["id"] > mark and row["source_compute"] in self._hosts]
        return sorted(
            (Moved(r["id"], r["instance_uuid"], r["source_compute"], r["dest_compute"], r["status"]) for r in rows),
            key=lambda moved: moved.number,
        )

    def under_way(self, mark: int) -> list[Moved]:
        return [moved for moved in self.since(mark) if moved.status not in OVER]

    def _migrations(self, limit: int | None = None) -> list[dict[str, Any]]:
        path: str | None = "/os-migrations" + (f"?limit={limit}" if limit else "")
        rows: list[dict[str, Any]] = []
        while path:
            body = self.compute.get(path, microversion="2.59").json()
            rows += body["migrations"]
            links = {link["rel"]: link["href"] for link in body.get("migrations_links", ())}
            path = None if limit else links.get("next")
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
        until(
            f"{len(names)} servers to boot",
            lambda: {self.servers()[name].status for name in names} == {"ACTIVE"},
            timeout_s=180.0, every_s=1.0,
        )  # fmt: skip
        return self.some(names)

    def delete(self, names: Iterable[str]) -> None:
        have = self.servers()
        gone = [have[name] for name in names if name in have]
        for server in gone:
            self.compute.delete_server(server, force=True)
        until("servers to be deleted", lambda: not {s.name for s in gone} & self.servers().keys())

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


def _model(server: Any) -> Server:
    flavor = server.flavor
    return Server(
        ServerId(server.id), server.name, HostName(server.compute_host or ""), int(flavor["vcpus"]),
        int(flavor["ram"]), status=server.status,
    )  # fmt: skip
