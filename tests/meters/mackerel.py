"""A small Mackerel, as its API documentation says. It is not the real one.

What is not as there: keys are one key, roles and services filter nothing, hosts are never retired.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestrators.answering import Answer, Request, Served, serving
from times import SetClock

KEY = "s3cret-key"
LONGEST = 8192  # characters of a request's address that servers on the way take


@dataclass
class Agent:
    """A guest with an agent, which reports percent × CPUs once a minute. `steal`, `busy`: shares of all its CPUs' time.

    `told_cpus`: how many CPUs are in its metadata. `only`: names of metrics that it reports; None: all.
    """

    name: str
    cpus: int = 2
    steal: float = 0.0
    busy: float = 0.0
    load: float = 0.0
    age_s: float = 30.0
    told_cpus: int | None = None
    custom: str | None = None
    display: str | None = None
    only: frozenset[str] | None = None
    status: str = "working"
    more: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        rest = 1.0 - self.steal - self.busy
        shares = {"user": self.busy * 0.75, "system": self.busy * 0.25, "idle": rest, "steal": self.steal}
        shares |= dict.fromkeys(("nice", "irq", "softirq", "guest", "iowait"), 0.0)
        found = {f"cpu.{part}.percentage": 100.0 * self.cpus * share for part, share in shares.items()}
        found |= {"loadavg1": self.load, "loadavg5": self.load, "loadavg15": self.load}
        return {name: value for name, value in found.items() if self.only is None or name in self.only}


@dataclass
class Organization:
    clock: SetClock = field(default_factory=SetClock)
    hosts: dict[str, Agent] = field(default_factory=dict)
    refuse_batches: int = 0  # so many requests for values are answered with 503
    served: Served | None = None

    @property
    def url(self) -> str:
        assert self.served is not None
        return self.served.url

    def add(self, agent: Agent) -> str:
        id = f"2u4PP{len(self.hosts):06d}"  # 11 characters, as there
        self.hosts[id] = agent
        return id

    def answer(self, request: Request) -> Answer:
        if request.headers.get("X-Api-Key") != KEY:
            return 401, {"error": "Authentication failed. Please try with valid Api Key."}
        match request.method, request.path:
            case "GET", "/api/v0/hosts":
                wanted = request.query.get("status", ["working", "standby"])
                return 200, {"hosts": [self._host(i, a) for i, a in self.hosts.items() if a.status in wanted]}
            case "GET", "/api/v0/tsdb/latest":
                return self._latest(request)
        return 404, {"error": {"message": "not found"}}

    def _host(self, id: str, agent: Agent) -> dict[str, Any]:
        cpus = agent.cpus if agent.told_cpus is None else agent.told_cpus
        return {
            "id": id, "name": agent.name, "displayName": agent.display, "customIdentifier": agent.custom,
            "status": agent.status, "isRetired": False, "type": "agent", "createdAt": 1,
            "meta": {"cpu": [{"mhz": "2100.0", "model_name": "QEMU Virtual CPU"}] * cpus},
            "interfaces": [{"name": "eth0", "ipAddress": "10.0.0.1"}], "roles": {}, "memo": "",
        }  # fmt: skip

    def _latest(self, request: Request) -> Answer:
        if sum(len(name) + len(v) + 2 for name, vs in request.query.items() for v in vs) > LONGEST:
            return 414, "Request-URI Too Large"
        if self.refuse_batches:
            self.refuse_batches -= 1
            return 503, {"error": "unavailable"}
        rows: dict[str, Any] = {}
        for id in request.query.get("hostId", []):
            agent = self.hosts.get(id)
            if agent is not None:
                time = int(self.clock.now().timestamp() - agent.age_s)
                names = request.query.get("name", [])
                values = {n: {"time": time, "value": v} for n, v in agent.values().items() if n in names}
                rows[id] = values | agent.more
        return 200, {"tsdbLatest": rows}


@contextmanager
def running() -> Iterator[Organization]:
    made = Organization()
    with serving(made.answer) as served:
        made.served = served
        yield made
