"""What the demo's page and a real cloud's show alike: hosts, flights, budgets, windows, who is starved and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Final

from watari.act.guard import UnderWay, holding
from watari.act.journal import OperationRecord, StepRecord
from watari.model.compute import Host
from watari.model.reasons import Refusal
from watari.plan.plan import Operation
from watari.policy.values import Budgets, Peak, Policy, Window
from watari.web import contract as page
from watari.web.day import Day

OUTCOMES: Final[tuple[page.Outcome, ...]] = ("done", "undone", "failed")


def policy_shown(policy: Policy) -> page.Policy:
    return {
        "name": policy.name,
        "steal": policy.detect.steal,
        "load_per_vcpu": policy.detect.load_per_vcpu,
        "hold_rounds": policy.detect.hold_rounds,
        "cool_down_s": policy.calm.cool_down_s,
    }


def host(one: Host) -> page.Host:
    return {
        "name": one.name, "zone": one.zone, "rack": one.rack, "state": one.state, "state_note": one.state_note,
        "threads": one.cpus, "ratio": one.cpu_ratio, "memory_mib": one.memory_mib,
    }  # fmt: skip


def strip(policy: Policy, day: Day, starved: int, records: Sequence[OperationRecord], now: datetime) -> page.Strip:
    """The numbers on top, of a cloud without a shadow. `records`: operations of today's runs."""
    done = [o.operation.cost for o in records if o.state == "done"]
    moves = [m for m in map(holding, records) if m is not None]
    return {
        "starved": starved,
        "starved_shadow": None,
        "steal_s_today": round(day.stolen_core_s, 1),
        "steal_s_shadow_today": None,
        "moves": counts(records),
        "moved_mib": {"memory": sum(c.memory_mib for c in done), "disk": sum(c.disk_mib for c in done)},
        "budgets": budgets(policy.budgets, moves),
        "quiet": window(policy.budgets, now.astimezone(policy.timezone).time()),
    }


def counts(records: Iterable[OperationRecord]) -> page.MoveCounts:
    """Operations by outcome; those that move nothing do not count."""
    moves = [o for o in records if o.operation.move is not None]
    states = [o.state for o in moves]
    return {
        "done": states.count("done"),
        "running": sum(o.under_way for o in moves),
        "undone": states.count("undone"),
        "failed": states.count("failed"),
    }


def budgets(limits: Budgets, moves: Sequence[UnderWay]) -> list[page.Budget]:
    """The total, the fullest link and the fullest zone."""
    out: list[page.Budget] = [{"name": "moves", "used": len(moves), "limit": limits.total, "unit": ""}]
    if limits.link_mib_s is not None:
        used = round(_fullest_link(moves))
        out.append({"name": "fullest link", "used": used, "limit": limits.link_mib_s, "unit": "MiB/s"})
    zones = [m.zone for m in moves]
    if zones:
        zone = max(sorted(set(zones)), key=zones.count)
        out.append({"name": zone, "used": zones.count(zone), "limit": limits.per_zone, "unit": ""})
    return out


def window(limits: Budgets, local: time) -> page.Peak | None:
    """The window that holds at that wall clock, else the next one of the day."""
    windows: list[tuple[Window, Peak | None]] = [(w, None) for w in limits.quiet]
    windows += [(p.window, p) for p in limits.peaks]
    holds = [(w, p) for w, p in windows if w.contains(local)]
    later = sorted((x for x in windows if x[0].start > local), key=lambda x: x[0].start)
    found = next(iter([*holds, *later]), None)
    return None if found is None else _peak(*found)


def peaks(policy: Policy) -> list[page.Peak]:
    return [_peak(p.window, p) for p in policy.budgets.peaks]


def moving(records: Iterable[OperationRecord]) -> dict[str, Operation]:
    """The operations under way, by their server."""
    return {o.operation.subject: o.operation for o in records if o.under_way and o.moving is not None}


def flight(
    record: OperationRecord, step: StepRecord, number: int, where: tuple[int, int, int], stalled: bool
) -> page.Flight:
    """A move under way; `where`: the server's row, its source's and its target's."""
    rest = step.total_mib - step.done_mib
    return {
        "id": f"{record.operation.id}/{record.operation.subject}",
        "n": number,
        "server": where[0],
        "from": where[1],
        "to": where[2],
        "phase": _phase(record, step),
        "attempt": max(1, step.attempts),
        "done_mib": round(step.done_mib, 1),
        "total_mib": round(step.total_mib or record.operation.cost.mib, 1),
        "rate_mib_s": round(step.rate_mib_s, 1),
        "eta_s": round(rest / step.rate_mib_s, 1) if step.rate_mib_s > 0 else None,
        "stalled_since": step.moved_at.isoformat() if stalled and step.moved_at is not None else None,
    }


def starving(server: int, intent: page.Intent, to: int | None, why: str) -> page.Starved:
    return {"server": server, "intent": intent, "to": to, "why": why}


def standing(server: int, refusal: Refusal | None, *, acts: bool) -> page.Starved:
    """A starved server that no operation moves."""
    if not acts:
        return starving(server, "refused", None, "The balancer only watches yet.")
    if refusal is None:
        return starving(server, "planned", None, "seen just now, judged in the next round")
    intent: page.Intent = "relieved" if refusal.code in ("relieved", "easing") else "refused"
    return starving(server, intent, None, refusal.why)


def _phase(record: OperationRecord, step: StepRecord) -> page.FlightPhase:
    if step.state == "pending":
        return "detach"
    if step.over:
        return "attach"
    return "memory" if step.done_mib > 0 or step.state == "running" else "queued"


def _fullest_link(moves: Sequence[UnderWay]) -> float:
    used: dict[str, float] = {}
    for m in moves:
        for name in (m.source, m.target):
            used[name] = used.get(name, 0.0) + m.rate_mib_s
    return max(used.values(), default=0.0)


def _peak(window: Window, peak: Peak | None) -> page.Peak:
    return {
        "from": f"{window.start:%H:%M}",
        "to": f"{window.end:%H:%M}",
        "moves": 0 if peak is None else peak.moves,
        "zones": sorted(window.zones),
    }
