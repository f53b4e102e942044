"""Put the decisions of a balance into a Plan: order, waves, costs, reasons, forecast."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from watari.jobs.balance.draft import Draft
from watari.jobs.balance.refusals import refusals
from watari.jobs.balance.words import Relief, host_reason, rule_reasons, still_over, takes_off
from watari.jobs.placement.ledger import relieved
from watari.jobs.placement.moves import Move, open_waves, rate_mib_s, slots_of
from watari.jobs.placement.outlook import Outlook, outlook
from watari.jobs.placement.world import snapshot_digest
from watari.model.compute import Host
from watari.model.reasons import Finding, Reason
from watari.plan.accompany import accompanied
from watari.plan.codec import content_id
from watari.plan.estimate import estimate_move
from watari.plan.plan import Operation, OperationId, Plan
from watari.plan.steps import LiveMigrate

JOB = "balance"


def compose(draft: Draft, expires_at: datetime) -> Plan:
    """The finished plan. Its id follows from its content."""
    seen = outlook(draft.world, draft.found, draft.policy.detect, draft.moves)
    snapshot = draft.world.snapshot
    operations = _operations(draft, seen)
    plan = Plan(
        id="",
        job=JOB,
        cloud=snapshot.cloud,
        made_at=snapshot.taken_at,
        expires_at=expires_at,
        snapshot_digest=snapshot_digest(draft.world),
        policy_digest=draft.policy.digest,
        operations=operations,
        refusals=refusals(draft, seen, operations),
        findings=(*draft.found.findings, *_findings(draft), *draft.standing.findings()),
        forecast=seen.forecast,
    )
    return replace(plan, id=content_id(plan))


def in_order(draft: Draft) -> list[Move]:
    """Hosts with the most suffering first; on a host whatever takes the most cores off it per GiB copied."""
    world, found = draft.world, draft.found
    suffering = world.host_sum(found.steal * world.vcpus, world.host_of)
    number = {m.server: i for i, m in enumerate(draft.moves)}

    def speed(m: Move) -> float:
        gib = world.server_memory_mib[m.server] / 1024 + world.server_disk_gib[m.server]
        return float(draft.ledger.weight(np.array([m.server]))[0] / max(gib, 0.1))

    return sorted(draft.moves, key=lambda m: (-suffering[m.source], m.source, -speed(m), number[m.server]))


def _operations(draft: Draft, seen: Outlook) -> tuple[Operation, ...]:
    world = draft.world
    standing, budgets = draft.standing, draft.policy.budgets
    waves = open_waves(world, standing, budgets)
    out = []
    for n, move in enumerate(in_order(draft), 1):
        source, target = world.hosts[move.source].name, world.hosts[move.target].name
        slots = slots_of(world, standing, budgets, move.server, source, target)
        wave, waits = waves.place(slots)
        op = _operation(draft, seen, move, n, wave, waits)
        out.append(accompanied(op, world.snapshot.memberships, draft.policy.orchestration))
    return tuple(sorted(out, key=lambda o: (o.wave, int(o.id))))


def _operation(draft: Draft, seen: Outlook, move: Move, n: int, wave: int, waits: str) -> Operation:
    world, s = draft.world, move.server
    server, source, target = world.servers[s], world.hosts[move.source], world.hosts[move.target]
    budgets = draft.policy.budgets
    rate = rate_mib_s(budgets, source, target)
    cores = float(draft.found.now[s])
    return Operation(
        id=OperationId(str(n)),
        subject=server.id,
        name=server.name,
        zone=source.zone,
        role=draft.standing.role(s),
        wave=wave,
        steps=(LiveMigrate(server.id, source.name, target.name, budgets.move_mib_s),),
        cost=estimate_move(server.memory_mib, server.local_disk_gib * 1024.0, cores, rate),
        reasons=_reasons(draft, move),
        candidates=move.candidates,
        steal_before=float(draft.found.steal[s]),
        steal_after=float(seen.steal_after[s]),
        relieves=tuple(world.servers[i].name for i in seen.relieved_on(move.source)),
        vcpus=server.vcpus,
        waits_why=waits,
    )


def _reasons(draft: Draft, move: Move) -> tuple[Reason, ...]:
    found, world, s = draft.found, draft.world, move.server
    cores = float(draft.ledger.weight(np.array([s]))[0])
    source = world.hosts[move.source].name
    why = found.why.get(move.source, "starved")
    host = host_reason(why, source, move.need_before, float(world.cpus[move.source]))
    off = takes_off(cores, source, _relief(draft, move.source))
    if found.held[s]:
        held = int(found.rounds[s]), int(found.needed[s])
        rules = rule_reasons(draft.policy.detect, float(found.steal[s]), float(found.load[s]), *held)
        return (*rules, host, off)
    return (host, off)


def _relief(draft: Draft, h: int) -> Relief:
    if h in draft.eased:
        return "lasting"
    full = h not in draft.halfway and relieved(draft.ledger, h, np.zeros(0, np.int64))
    return "full" if full else "partial"


def _without_cpus(host: Host) -> Finding:
    if host.state == "down":  # and so silent that not even its size is known
        why = host.state_note or "nobody says why"
        return Finding(host.name, "host-down", f"does not answer, and its servers are not seen: {why}", "error")
    cure = "Correct the host's record, or take it out of service."
    return Finding(host.name, "no-capacity", "has no CPU to give; it receives nothing", "warning", cure)


def _findings(draft: Draft) -> tuple[Finding, ...]:
    """Hosts without capacity, and zones that ask for more than they have: no move can cure those."""
    world = draft.world
    out = [_without_cpus(world.hosts[h]) for h in np.flatnonzero(world.cpus <= 0).tolist()]
    demand = world.host_sum(draft.found.now)
    for z, zone in enumerate(world.zone_slice):
        need, have = float(demand[zone].sum()), float((world.cpus * world.up)[zone].sum())
        if need > have:
            text = (
                f"its servers ask for {need:.1f} cores, its hosts have {have:.1f}: some stay starved wherever they are"
            )
            out.append(Finding(world.zone_names[z], "zone-full", text, "error", "Add hosts to the zone."))
    return (*out, *_still_over(draft))


def _still_over(draft: Draft) -> tuple[Finding, ...]:
    """Hot hosts that the plan leaves over their capacity although nobody starves there: no refusal speaks of them."""
    world, found = draft.world, draft.found
    need = draft.ledger.levels.max(axis=0)
    starving = np.bincount(world.host_of, found.starved, len(world.hosts)) > 0
    out = []
    for h in np.flatnonzero(found.hot & ~starving & (need > draft.ledger.ceiling)).tolist():
        here = [s for s in world.on(h).tolist() if s in draft.bans or s in draft.nowhere]
        whys = [draft.nowhere[s][0] if s in draft.nowhere else draft.bans[s].why for s in here[:1]]
        names = [world.servers[s].name for s in here]
        text = still_over(found.why[h], float(need[h]), float(world.cpus[h]), names, "".join(whys))
        cure = "Nobody starves there yet. Add a host to the zone, or free one."
        out.append(Finding(world.hosts[h].name, "still-over", text, "warning", cure))
    return tuple(out)
