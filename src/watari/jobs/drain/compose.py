"""Put the decisions of a drain into a Plan: disable, moves in waves, enable; costs, reasons, findings, forecast."""

from dataclasses import replace
from datetime import timedelta

from watari.jobs.drain.draft import Choice, Draft
from watari.jobs.drain.findings import arriving, findings
from watari.jobs.drain.request import disable_reason, disabled_by_us
from watari.jobs.placement.moves import open_waves, rate_mib_s, slots_of
from watari.jobs.placement.outlook import Outlook, outlook
from watari.jobs.placement.world import snapshot_digest
from watari.model.compute import Host
from watari.model.reasons import Reason, Refusal
from watari.plan.accompany import accompanied
from watari.plan.codec import content_id
from watari.plan.estimate import estimate_cold_move, estimate_move
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.render import expected_seconds
from watari.plan.steps import ColdMigrate, DisableHost, EnableHost, LiveMigrate
from watari.plan.text import count

JOB = "drain"
DISABLING, FIRST_MOVES = 1, 2  # waves
FULL = "budget"  # the code of a refusal that the next plan takes up


def compose(draft: Draft) -> Plan:
    """The finished plan. Its id follows from its content.

    It expires when its last moves should long be under way: a drain is made for one host, not for one moment.
    """
    snapshot = draft.world.snapshot
    ordered = _within_the_plan(draft, _in_order(draft))
    seen = outlook(draft.world, draft.measured, draft.policy.detect, [choice.move for choice, _ in ordered])
    plan = Plan(
        id="",
        job=JOB,
        cloud=snapshot.cloud,
        made_at=snapshot.taken_at,
        expires_at=snapshot.taken_at,
        snapshot_digest=snapshot_digest(draft.world),
        policy_digest=draft.policy.digest,
        operations=_operations(draft, seen, ordered),
        refusals=_refusals(draft),
        findings=findings(draft, seen),
        forecast=seen.forecast,
    )
    lasts_s = draft.policy.expires_s + expected_seconds(plan)
    plan = replace(plan, expires_at=snapshot.taken_at + timedelta(seconds=round(lasts_s)))
    return replace(plan, id=content_id(plan))


def _in_order(draft: Draft) -> list[tuple[Choice, Cost]]:
    """Running servers before those that are off, the quickest first.

    If the host dies half-way, the fewest are still on it, and of these the fewest that somebody uses.
    """
    costed = [(choice, _cost(draft, choice)) for choice in draft.choices]
    ids = draft.world.readings.ids
    return sorted(costed, key=lambda pair: (_is_off(pair[0]), pair[1].seconds, ids[pair[0].move.server]))


def _is_off(choice: Choice) -> bool:
    return choice.way.how == "cold" and not choice.way.stops


def _within_the_plan(draft: Draft, ordered: list[tuple[Choice, Cost]]) -> list[tuple[Choice, Cost]]:
    """No more moves than the policy wants in one plan; the others are refused until the next."""
    limit = draft.policy.budgets.per_plan
    if limit is None or len(ordered) <= limit:
        return ordered
    for choice, _ in ordered[limit:]:
        server = draft.world.servers[choice.move.server]
        why = f"the plan is full: {limit} of {limit} moves"
        cure = "Plan again when they are done, or raise budgets.per_plan."
        draft.refusals[choice.move.server] = Refusal(server.id, FULL, why, cure, name=server.name)
    return ordered[:limit]


def _cost(draft: Draft, choice: Choice) -> Cost:
    world, move = draft.world, choice.move
    server = world.servers[move.server]
    rate = rate_mib_s(draft.policy.budgets, world.hosts[move.source], world.hosts[move.target])
    if choice.way.how == "cold":
        return estimate_cold_move(server.local_disk_gib * 1024.0, rate, stops=choice.way.stops)
    cores = float(draft.judged.now[move.server])
    return estimate_move(server.memory_mib, server.local_disk_gib * 1024.0, cores, rate)


def _operations(draft: Draft, seen: Outlook, ordered: list[tuple[Choice, Cost]]) -> tuple[Operation, ...]:
    world, standing, budgets = draft.world, draft.standing, draft.policy.budgets
    disabling = {h: OperationId(str(n)) for n, h in enumerate(draft.emptied, 1)}
    out = [_disable(draft, world.hosts[h], id) for h, id in disabling.items()]
    waves = open_waves(world, standing, budgets, start=FIRST_MOVES)
    moves = []
    for n, (choice, cost) in enumerate(ordered, len(out) + 1):
        s, source, target = choice.move.server, choice.move.source, choice.move.target
        slots = slots_of(world, standing, budgets, s, world.hosts[source].name, world.hosts[target].name)
        wave, waits = waves.place(slots)
        op = _move(draft, seen, choice, cost, OperationId(str(n)), wave)
        op = accompanied(op, world.snapshot.memberships, draft.policy.orchestration)
        moves.append(replace(op, waits_for=(disabling[source],), waits_why=waits))
    out += sorted(moves, key=lambda o: (o.wave, int(o.id)))
    if draft.request.then_enable:
        out += _enabling(draft, disabling, moves)
    return tuple(out)


def _move(draft: Draft, seen: Outlook, choice: Choice, cost: Cost, id: OperationId, wave: int) -> Operation:
    world, s = draft.world, choice.move.server
    server, source, target = world.servers[s], world.hosts[choice.move.source], world.hosts[choice.move.target]
    verb = LiveMigrate if choice.way.how == "live" else ColdMigrate
    known = bool(world.readings.known[s])
    return Operation(
        id=id,
        subject=server.id,
        name=server.name,
        zone=source.zone,
        role=draft.standing.role(s),
        wave=wave,
        steps=(verb(server.id, source.name, target.name, draft.policy.budgets.move_mib_s),),
        cost=cost,
        reasons=_reasons(draft, choice, known),
        candidates=choice.move.candidates,
        steal_before=float(draft.measured.steal[s]) if known else None,
        steal_after=float(seen.steal_after[s]) if known else None,
        vcpus=server.vcpus,
    )


def _reasons(draft: Draft, choice: Choice, known: bool) -> tuple[Reason, ...]:
    reasons = list(choice.way.reasons)
    if not known:
        vcpus = count(draft.world.servers[choice.move.server].vcpus, "vCPU")
        reasons.append(Reason("no-data", f"its load is not known and counted as all of its {vcpus}"))
    if choice.conceded in ("crowd", "alone"):
        reasons.append(
            Reason("crowd", "every host that takes it has as many of its role as this one (drain.crowd_roles)")
        )
    if choice.conceded == "steal":
        reasons.append(Reason("steal", "no host with enough CPU takes it (drain.allow_steal)"))
    return tuple(reasons)


def _disable(draft: Draft, host: Host, id: OperationId) -> Operation:
    reason = disable_reason(host, draft.request.reason, draft.world.snapshot.taken_at)
    return _of_host(host, id, DISABLING, DisableHost(host.name, reason))


def _enabling(draft: Draft, disabling: dict[int, OperationId], moves: list[Operation]) -> list[Operation]:
    """Bring back what we disabled, each host once everything has left it; not if the next plan has to go on there."""
    out: list[Operation] = []
    at, host_of = draft.world.snapshot.taken_at, draft.world.host_of
    unfinished = {int(host_of[s]) for s, refusal in draft.refusals.items() if refusal.code == FULL}
    for h, disabled in disabling.items():
        host = draft.world.hosts[h]
        if h in unfinished or (host.state != "up" and not disabled_by_us(host)):
            continue
        leavers = [o for o in moves if o.source == host.name]
        id = OperationId(str(len(disabling) + len(moves) + len(out) + 1))
        wave = max((o.wave for o in leavers), default=DISABLING) + 1
        made = _of_host(host, id, wave, EnableHost(host.name, disable_reason(host, draft.request.reason, at)))
        ids = (disabled, *(o.id for o in leavers))
        out.append(replace(made, waits_for=ids))
    return sorted(out, key=lambda o: (o.wave, int(o.id)))


def _of_host(host: Host, id: OperationId, wave: int, step: DisableHost | EnableHost) -> Operation:
    return Operation(
        id=id, subject=host.name, name=host.name, zone=host.zone, role="", wave=wave, steps=(step,), cost=Cost()
    )


def _refusals(draft: Draft) -> tuple[Refusal, ...]:
    """By host, then by name; whoever is on the way to an emptied host comes last."""
    world = draft.world
    number = sorted(draft.refusals, key=lambda s: (int(world.host_of[s]), world.servers[s].name, world.servers[s].id))
    coming = arriving(draft)  # from one emptied host to another: said once
    comes = {refusal.subject for refusal in coming}
    return (*(draft.refusals[s] for s in number if world.servers[s].id not in comes), *coming)
