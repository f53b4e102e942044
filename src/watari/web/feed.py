"""Turn the demo's cloud into what the page shows: one full state, then ticks."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from watari.act.journal import OperationRecord
from watari.app.demo import SLOT_S, Demo
from watari.web import contract as page
from watari.web.contract import NO_DATA
from watari.web.shown import budgets, counts, flight, host, peaks, policy_shown, standing, starving, window

PHASES: dict[str, page.FlightPhase] = {"queued": "queued", "disk": "disk", "memory": "memory"}
OPEN_SLOTS = 4  # slots of the chart that may still change: a move is counted after it ended
STALLED_S = 120.0  # no progress for this long is said to be stalled


@dataclass(slots=True)
class DemoFeed:
    """Reads a Demo; numbers given to flights and outcomes already counted are remembered between calls.

    Call it from the thread that advances the demo.
    """

    demo: Demo
    pace: float = 1.0
    _server: dict[str, int] = field(default_factory=dict)
    _host: dict[str, int] = field(default_factory=dict)
    _placed: list[int] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _counted: int = 0
    _charted: int = 0
    _outcomes: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cloud = self.demo.cloud
        self._server = {id_: i for i, id_ in enumerate(cloud.server_ids)}
        self._host = {name: i for i, name in enumerate(cloud.host_names)}
        self._placed = cloud.host_index.tolist()
        self._outcomes = {"done": [], "undone": [], "failed": []}

    def state(self) -> page.PageState:
        """Everything, for whoever joins."""
        demo, policy = self.demo, self.demo.policy
        chart = self._chart(0)
        self._charted = len(chart["measured"])
        return {
            "cloud": demo.spec.name,
            "now": demo.now.isoformat(),
            "time_zone": demo.now.tzname() or "UTC",
            "pace": self.pace,
            "policy": policy_shown(policy),
            "strip": self._strip(),
            "hosts": self._hosts(),
            "host_cpu": self._host_cpu(),
            "servers": self._servers(),
            "load": self._loads(),
            "flights": self._flights(),
            "starved": self._starved(),
            "chart": {
                "start": self._midnight().isoformat(),
                "step_s": int(SLOT_S),
                "measured": chart["measured"],
                "shadow": chart["shadow"],
                "starved": chart["starved"],
                "done": chart["done"],
                "undone": chart["undone"],
                "failed": chart["failed"],
                "forecast": [],
            },
            "peaks": peaks(policy),
            "ended": self._ended(),
        }

    def tick(self) -> page.PageTick:
        """What may have changed since the last call; the hub leaves out what did not."""
        at = self.demo.cloud.host_index.tolist()
        placed = [(i, h) for i, (h, before) in enumerate(zip(at, self._placed, strict=True)) if h != before]
        self._placed = at
        chart = self._chart(max(0, self._charted - OPEN_SLOTS))
        self._charted = len(self.demo.curve.counts)
        return {
            "now": self.demo.now.isoformat(),
            "strip": self._strip(),
            "host_cpu": self._host_cpu(),
            "placed": placed,
            "load": self._loads(),
            "flights": self._flights(),
            "starved": self._starved(),
            "chart": chart,
            "ended": self._ended(),
        }

    def _midnight(self) -> datetime:
        return self.demo.now - timedelta(seconds=self.demo.steps * self.demo.cloud.step_s)

    def _strip(self) -> page.Strip:
        demo = self.demo
        b, s = demo.whole_day.balanced, demo.whole_day.shadow
        moved = [o.operation.cost for o in demo.ended if o.state == "done"]
        return {
            "starved": int(demo.starved().sum()),
            "starved_shadow": demo.starved_shadow(),
            "steal_s_today": round(b.stolen_core_s, 1),
            "steal_s_shadow_today": round(s.stolen_core_s, 1),
            "moves": {**counts(self.demo.ended), "running": len(self.under_way())},
            "moved_mib": {"memory": sum(c.memory_mib for c in moved), "disk": sum(c.disk_mib for c in moved)},
            "budgets": self._budgets(),
            "quiet": window(self.demo.policy.budgets, self.demo.policy.local(self.demo.now)),
        }

    def _budgets(self) -> list[page.Budget]:
        """The total, the fullest link and the fullest zone, which is one of all zones."""
        moves = list(self.demo.balancer.executor.under_way())
        found = budgets(self.demo.policy.budgets, moves)
        if not moves:
            zone = self.demo.spec.zones[0]
            found.append({"name": zone, "used": 0, "limit": self.demo.policy.budgets.per_zone, "unit": ""})
        return found

    def _hosts(self) -> list[page.Host]:
        hosts = self.demo.cloud.inventory().hosts
        return [host(hosts[name]) for name in self.demo.cloud.host_names]

    def _host_cpu(self) -> list[int]:
        demand = self.demo.cloud.contention.host_demand / self.demo.spec.threads
        cpu: list[int] = np.rint(1000 * demand).astype(int).tolist()
        return cpu

    def _servers(self) -> page.Servers:
        servers = self.demo.spec.servers
        return {
            "id": [s.id for s in servers],
            "name": [s.name for s in servers],
            "host": self.demo.cloud.host_index.tolist(),
            "vcpu": [s.vcpus for s in servers],
            "memory_mib": [s.memory_mib for s in servers],
            "role": list(self.demo.spec.roles) or [""] * len(servers),
        }

    def _loads(self) -> page.Loads:
        loads = self.demo.cloud.loads(self.demo.cloud.server_ids)
        now, newest = self.demo.now, None
        steal, per_vcpu = [], []
        for id_ in self.demo.cloud.server_ids:
            load = loads.get(id_)
            steal.append(NO_DATA if load is None else round(1000 * load.steal))
            per_vcpu.append(NO_DATA if load is None else round(100 * load.load_per_vcpu))
            if load is not None and (newest is None or load.at > newest):
                newest = load.at
        age_s = 0.0 if newest is None else max(0.0, (now - newest).total_seconds())
        return {"steal": steal, "per_vcpu": per_vcpu, "age_s": age_s}

    def _flights(self) -> list[page.Flight]:
        out: list[page.Flight] = []
        for record in self.under_way():
            step, op = record.steps[0], record.operation
            number = self._numbers.setdefault(step.handle or op.id, len(self._numbers) + 1)
            where = self._server[op.subject], self._host[op.source], self._host[op.target]
            stalled = step.moved_at is not None and (self.demo.now - step.moved_at).total_seconds() >= STALLED_S
            phase = self._phase(step.handle or op.id)
            out.append({**flight(record, step, number, where, stalled), "phase": phase})
        return out

    def under_way(self) -> list[OperationRecord]:
        """Operations under way, oldest first."""
        runs = self.demo.balancer.executor.runs
        return [o for run in runs for o in run.operations if o.under_way and o.steps[0].handle]

    def _phase(self, handle: str) -> page.FlightPhase:
        found = next((m.status for m in self.demo.cloud.flights_progress() if m.id == handle), "memory")
        return PHASES.get(found, "memory")

    def _starved(self) -> list[page.Starved]:
        """Who is starved at this instant, worst first, and what the last plan says of each."""
        c, now = self.demo.cloud.contention, np.flatnonzero(self.demo.starved())
        flying = {o.operation.subject: o.operation for o in self.under_way()}
        made = self.demo.balancer.plan
        planned = {o.subject: o for o in made.operations} if made and self.demo.acting else {}
        refused = {r.subject: r for r in made.refusals} if made else {}
        out = []
        for s in now[np.argsort(-c.steal[now], kind="stable")].tolist():
            id_ = self.demo.cloud.server_ids[s]
            op = flying.get(id_) or planned.get(id_)
            if op is not None:
                intent: page.Intent = "moving" if id_ in flying else "planned"
                out.append(starving(s, intent, self._host[op.target], op.waits_why))
            else:
                out.append(standing(s, refused.get(id_), acts=self.demo.acting))
        return out

    def _chart(self, at: int) -> page.ChartTail:
        curve = self.demo.curve
        self._count_outcomes(len(curve.counts))
        return {
            "at": at,
            "measured": [round(v, 2) for v in curve.measured()[at:]],
            "shadow": [round(v, 2) for v in curve.shadow()[at:]],
            "starved": curve.starved[at:],
            "done": self._outcomes["done"][at:],
            "undone": self._outcomes["undone"][at:],
            "failed": self._outcomes["failed"][at:],
        }

    def _count_outcomes(self, slots: int) -> None:
        for column in self._outcomes.values():
            column.extend([0] * (slots - len(column)))
        midnight = self._midnight()
        for record in self.demo.ended[self._counted :]:
            ended = record.steps[-1].ended_at
            if record.state in self._outcomes and ended is not None:
                slot = min(slots - 1, int((ended - midnight).total_seconds() // SLOT_S))
                self._outcomes[record.state][slot] += 1
        self._counted = len(self.demo.ended)

    def _ended(self) -> page.Ended | None:
        if not self.demo.over:
            return None
        result, strip = self.demo.result(), self._strip()
        return {
            "starved_min": round(result.starved_minutes, 1),
            "starved_min_shadow": round(result.starved_minutes_nothing, 1),
            "steal_s": round(result.stolen_core_s),
            "steal_s_shadow": round(result.stolen_core_s_nothing),
            "avoided": None if math.isclose(result.stolen_core_s_nothing, 0) else round(result.avoided, 4),
            "moves": strip["moves"],
            "moved_mib": strip["moved_mib"],
        }
