"""Turn the demo's cloud into what the page shows: one full state, then ticks."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from watari.act.guard import UnderWay
from watari.act.journal import OperationRecord
from watari.app.demo import SLOT_S, Demo
from watari.model.reasons import Refusal
from watari.policy.values import Peak as PolicyPeak
from watari.policy.values import Window
from watari.web import contract as page
from watari.web.contract import NO_DATA

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
            "policy": {
                "name": policy.name,
                "steal": policy.detect.steal,
                "load_per_vcpu": policy.detect.load_per_vcpu,
                "hold_rounds": policy.detect.hold_rounds,
                "cool_down_s": policy.calm.cool_down_s,
            },
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
            "peaks": [_peak(p.window, p) for p in policy.budgets.peaks],
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
            "moves": self._counts(),
            "moved_mib": {"memory": sum(c.memory_mib for c in moved), "disk": sum(c.disk_mib for c in moved)},
            "budgets": self._budgets(),
            "quiet": self._window(),
        }

    def _counts(self) -> page.MoveCounts:
        states = [o.state for o in self.demo.ended]
        return {
            "done": states.count("done"),
            "running": len(self.under_way()),
            "undone": states.count("undone"),
            "failed": states.count("failed"),
        }

    def _budgets(self) -> list[page.Budget]:
        """The total, the fullest link and the fullest zone."""
        budgets, moves = self.demo.policy.budgets, list(self.demo.balancer.executor.under_way())
        out: list[page.Budget] = [{"name": "moves", "used": len(moves), "limit": budgets.total, "unit": ""}]
        if budgets.link_mib_s is not None:
            used = _fullest_link(moves)
            out.append({"name": "fullest link", "used": round(used), "limit": budgets.link_mib_s, "unit": "MiB/s"})
        zones = [m.zone for m in moves]
        zone = max(self.demo.spec.zones, key=zones.count)
        out.append({"name": zone, "used": zones.count(zone), "limit": budgets.per_zone, "unit": ""})
        return out

    def _window(self) -> page.Peak | None:
        budgets, local = self.demo.policy.budgets, self.demo.policy.local(self.demo.now)
        windows: list[tuple[Window, PolicyPeak | None]] = [(w, None) for w in budgets.quiet]
        windows += [(p.window, p) for p in budgets.peaks]
        holds = [(w, p) for w, p in windows if w.contains(local)]
        later = sorted((x for x in windows if x[0].start > local), key=lambda x: x[0].start)
        found = next(iter([*holds, *later]), None)
        return None if found is None else _peak(*found)

    def _hosts(self) -> list[page.Host]:
        hosts = self.demo.cloud.inventory().hosts
        return [
            {
                "name": h.name, "zone": h.zone, "rack": h.rack, "state": h.state, "state_note": h.state_note,
                "threads": h.cpus, "ratio": h.cpu_ratio, "memory_mib": h.memory_mib,
            }
            for h in (hosts[name] for name in self.demo.cloud.host_names)
        ]  # fmt: skip

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
            handle = step.handle or op.id
            rest = step.total_mib - step.done_mib
            out.append(
                {
                    "id": handle,
                    "n": self._numbers.setdefault(handle, len(self._numbers) + 1),
                    "server": self._server[op.subject],
                    "from": self._host[op.source],
                    "to": self._host[op.target],
                    "phase": self._phase(handle),
                    "attempt": max(1, step.attempts),
                    "done_mib": round(step.done_mib, 1),
                    "total_mib": round(step.total_mib or record.operation.cost.mib, 1),
                    "rate_mib_s": round(step.rate_mib_s, 1),
                    "eta_s": round(rest / step.rate_mib_s, 1) if step.rate_mib_s > 0 else None,
                    "stalled_since": self._stalled(step.moved_at),
                }
            )
        return out

    def under_way(self) -> list[OperationRecord]:
        """Operations under way, oldest first."""
        runs = self.demo.balancer.executor.runs
        return [o for run in runs for o in run.operations if o.under_way and o.steps[0].handle]

    def _phase(self, handle: str) -> page.FlightPhase:
        found = next((m.status for m in self.demo.cloud.flights_progress() if m.id == handle), "memory")
        return PHASES.get(found, "memory")

    def _stalled(self, moved_at: datetime | None) -> str | None:
        if moved_at is None or (self.demo.now - moved_at).total_seconds() < STALLED_S:
            return None
        return moved_at.isoformat()

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
                out.append(_starving(s, intent, self._host[op.target], op.waits_why))
            else:
                out.append(_standing(s, refused.get(id_), self.demo.acting))
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


def _starving(server: int, intent: page.Intent, to: int | None, why: str) -> page.Starved:
    return {"server": server, "intent": intent, "to": to, "why": why}


def _standing(server: int, refusal: Refusal | None, acting: bool) -> page.Starved:
    if not acting:
        return _starving(server, "refused", None, "The balancer only watches yet.")
    if refusal is None:
        return _starving(server, "planned", None, "seen just now, judged in the next round")
    intent: page.Intent = "relieved" if refusal.code in ("relieved", "easing") else "refused"
    return _starving(server, intent, None, refusal.why)


def _fullest_link(moves: list[UnderWay]) -> float:
    used: dict[str, float] = {}
    for m in moves:
        for host in (m.source, m.target):
            used[host] = used.get(host, 0.0) + m.rate_mib_s
    return max(used.values(), default=0.0)


def _peak(window: Window, peak: PolicyPeak | None) -> page.Peak:
    return {
        "from": f"{window.start:%H:%M}",
        "to": f"{window.end:%H:%M}",
        "moves": 0 if peak is None else peak.moves,
        "zones": sorted(window.zones),
    }
