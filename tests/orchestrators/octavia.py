"""A small Octavia, with the ports of a small Neutron, as their API references say: a change is followed by 409s."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrators.answering import Answer, Request, Served, serving

BUSY_S = 0.2


@dataclass
class Balancers:
    """`pools`: id -> member id -> its row. `ports`: address -> server id; all on one subnet."""

    pools: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    busy_until: float = 0.0
    served: Served | None = None

    def add(self, pool: str, server: str, address: str, weight: int = 10, status: str = "ONLINE") -> dict[str, Any]:
        members = self.pools.setdefault(pool, {})
        row: dict[str, Any] = {
            "id": f"{pool}-{server}", "address": address, "subnet_id": "subnet", "weight": weight, "tags": ["blue"],
            "operating_status": status,
        }  # fmt: skip
        members[row["id"]] = row
        self.ports[address] = server
        return row

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["v2", "lbaas", "pools"]:
                return 200, {"pools": [{"id": id} for id in self.pools]}
            case "GET", ["v2", "lbaas", "pools", pool, "members"] if pool in self.pools:
                return 200, {"members": list(self.pools[pool].values())}
            case "PUT", ["v2", "lbaas", "pools", pool, "members", id] if id in self.pools.get(pool, {}):
                return self._change(self.pools[pool][id], request.body["member"])
            case "GET", ["v2.0", "ports"]:
                return 200, {"ports": self._ports(request.query.get("fixed_ips", []))}
        return 404, {"faultstring": "not found"}

    def _change(self, row: dict[str, Any], change: dict[str, Any]) -> Answer:
        if time.monotonic() < self.busy_until:
            words = "Load Balancer x is immutable and cannot be updated."
            return 409, {"faultcode": "Client", "faultstring": words, "debuginfo": None, "message": words}
        row |= change
        self.busy_until = time.monotonic() + BUSY_S
        return 200, {"member": row}

    def _ports(self, filters: list[str]) -> list[dict[str, Any]]:
        wanted = [text.removeprefix("ip_address=") for text in filters]
        return [
            {
                "device_owner": "compute:az1",
                "device_id": self.ports[address],
                "fixed_ips": [{"ip_address": address, "subnet_id": "subnet"}],
            }
            for address in wanted
            if address in self.ports
        ]


@contextmanager
def running() -> Iterator[Balancers]:
    balancers = Balancers()
    with serving(balancers.answer) as served:
        balancers.served = served
        yield balancers
