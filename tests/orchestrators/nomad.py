"""A small Nomad server: nodes, their drains and allocations, as its API documentation says."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrators.answering import Answer, Request, Served, serving

LEAVES_S = 0.3


@dataclass
class Node:
    """`allocations`: name -> job type; batch ones end when the test says so."""

    name: str
    allocations: dict[str, str] = field(default_factory=dict)
    status: str = "ready"
    eligible: bool = True
    draining_since: float | None = None
    message: str = ""
    finished: bool = False

    @property
    def id(self) -> str:
        return f"00000000-0000-4000-8000-{sum(map(ord, self.name)):012d}"

    @property
    def left(self) -> dict[str, str]:
        """What still runs: services leave after a while, batch jobs when they have finished, system jobs stay."""
        if self.draining_since is None:
            return self.allocations
        over = time.monotonic() - self.draining_since > LEAVES_S
        gone = {"service": over, "batch": self.finished, "system": False}
        return {name: kind for name, kind in self.allocations.items() if not gone[kind]}

    @property
    def row(self) -> dict[str, Any]:
        if self.draining_since is not None and set(self.left.values()) <= {"system"}:
            self.draining_since, self.allocations = None, self.left
        eligibility = "eligible" if self.eligible else "ineligible"
        drain = None if self.draining_since is None else {"Deadline": 0, "IgnoreSystemJobs": True}
        last = {"Status": "draining" if drain else "complete", "Meta": {"message": self.message}}
        return {
            "ID": self.id, "Name": self.name, "Status": self.status, "SchedulingEligibility": eligibility,
            "DrainStrategy": drain, "LastDrain": last if self.message else None,
        }  # fmt: skip


@dataclass
class Region:
    nodes: dict[str, Node] = field(default_factory=dict)
    served: Served | None = None

    def add(self, node: Node) -> Node:
        self.nodes[node.id] = node
        return node

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["v1", "nodes"]:
                keys = ("ID", "Name", "Status", "SchedulingEligibility")
                return 200, [{key: node.row[key] for key in keys} for node in self.nodes.values()]
            case "GET", ["v1", "node", id] if id in self.nodes:
                return 200, self.nodes[id].row
            case "GET", ["v1", "node", id, "allocations"] if id in self.nodes:
                rows = self.nodes[id].left.items()
                return 200, [{"Name": n, "ClientStatus": "running", "Job": {"Type": kind}} for n, kind in rows]
            case "POST", ["v1", "node", id, "drain"] if id in self.nodes:
                return self._drain(self.nodes[id], request.body)
        return 404, "node not found"

    def _drain(self, node: Node, body: dict[str, Any]) -> Answer:
        spec = body.get("DrainSpec")
        node.draining_since = None if spec is None else time.monotonic()
        node.eligible = bool(body.get("MarkEligible")) if spec is None else False
        node.message = (body.get("Meta") or {}).get("message", "")
        return 200, {"NodeModifyIndex": 1, "EvalIDs": []}


@contextmanager
def running() -> Iterator[Region]:
    region = Region()
    with serving(region.answer) as served:
        region.served = served
        yield region
