"""A small Consul: one server for the catalog and for the agent of every node, as its API documentation says.

What is not as in the real one: the catalog follows an agent at once unless the node `lags`, no ACLs but one token,
every node's agent has the same address with the node's name in its path.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrators.answering import Answer, Request, Served, serving

TOKEN = "consul-token"
MAINTENANCE = "_node_maintenance"


@dataclass
class Node:
    """`services`: name -> status of its check. `maintenance`: the reason; None: it is not in maintenance."""

    name: str
    address: str
    services: dict[str, str] = field(default_factory=dict)
    maintenance: str | None = None
    meta: dict[str, str] = field(default_factory=dict)
    serf: str = "passing"
    lags: bool = False  # its agent has not told the catalog yet: that one shows `shown`
    shown: str | None = None

    @property
    def checks(self) -> list[dict[str, Any]]:
        """As the catalog has them."""
        return self._checks(self.shown if self.lags else self.maintenance)

    @property
    def own_checks(self) -> list[dict[str, Any]]:
        """As its agent has them."""
        return self._checks(self.maintenance)

    def _checks(self, maintenance: str | None) -> list[dict[str, Any]]:
        base = {"Node": self.name, "Notes": "", "ServiceName": ""}
        rows = [{**base, "CheckID": "serfHealth", "Name": "Serf Health Status", "Status": self.serf}]
        for service, status in self.services.items():
            rows.append(
                {**base, "CheckID": f"service:{service}", "Name": service, "Status": status, "ServiceName": service}
            )
        if maintenance is not None:
            notes = maintenance or "Maintenance mode is enabled for this node, but no reason was provided."
            rows.append(
                {**base, "CheckID": MAINTENANCE, "Name": "Node Maintenance Mode", "Status": "critical", "Notes": notes}
            )
        return rows

    def passes(self, service: str) -> bool:
        return all(c["Status"] == "passing" for c in self.checks if c["ServiceName"] in ("", service))


@dataclass
class Datacenter:
    """`peers`: addresses of its servers; `tolerance`: how many of them may fail."""

    nodes: dict[str, Node] = field(default_factory=dict)
    peers: list[str] = field(default_factory=list)
    tolerance: int = 1
    served: Served | None = None

    def add(self, node: Node) -> Node:
        self.nodes[node.name] = node
        return node

    def answer(self, request: Request) -> Answer:
        if request.headers.get("X-Consul-Token") != TOKEN:
            return 403, "Permission denied: anonymous token lacks permission 'node:read'"
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["v1", "catalog", "nodes"]:
                return 200, [{"Node": n.name, "Address": n.address, "Meta": n.meta} for n in self.nodes.values()]
            case "GET", ["v1", "catalog", "node", name]:
                return 200, self._node(name)
            case "GET", ["v1", "health", "node", name]:
                return 200, self.nodes[name].checks if name in self.nodes else []
            case "GET", ["v1", "health", "state", "critical"]:
                rows = [c for n in self.nodes.values() for c in n.checks]
                return 200, [c for c in rows if c["Status"] == "critical"]
            case "GET", ["v1", "health", "service", service]:
                found = [n for n in self.nodes.values() if service in n.services and n.passes(service)]
                return 200, [{"Node": {"Node": n.name, "Address": n.address}} for n in found]
            case "GET", ["v1", "status", "peers"]:
                return 200, [f"{address}:8300" for address in self.peers]
            case "GET", ["v1", "operator", "autopilot", "health"]:
                return 200, {"Healthy": True, "FailureTolerance": self.tolerance, "Servers": []}
            case "GET", ["agent", name, "v1", "agent", "checks"]:
                return 200, {c["CheckID"]: c for c in self.nodes[name].own_checks}
            case "PUT", ["agent", name, "v1", "agent", "maintenance"]:
                return self._maintain(name, request)
        return 404, "no such endpoint"

    def _node(self, name: str) -> Any:
        if name not in self.nodes:
            return None
        node = self.nodes[name]
        services = {s: {"ID": s, "Service": s, "Kind": ""} for s in node.services}
        return {"Node": {"Node": node.name, "Address": node.address, "Meta": node.meta}, "Services": services}

    def _maintain(self, name: str, request: Request) -> Answer:
        if name not in self.nodes:
            return 500, "this agent is not running"
        if request.param("enable") not in ("true", "false"):
            return 400, "Missing value for enable"
        on = request.param("enable") == "true"
        self.nodes[name].maintenance = request.param("reason") if on else None
        return 200, None


@contextmanager
def running() -> Iterator[Datacenter]:
    datacenter = Datacenter()
    with serving(datacenter.answer) as served:
        datacenter.served = served
        yield datacenter
