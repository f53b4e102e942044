"""Plan a drain: take hosts out of service, and everything that can leave off them."""

from dataclasses import replace

from watari.jobs.drain.compose import compose
from watari.jobs.drain.draft import Draft
from watari.jobs.drain.place import place_all, tiers_of, worst_case
from watari.jobs.drain.request import DrainRequest, disabled_by_us, known_hosts
from watari.jobs.placement.detect import diagnose
from watari.jobs.placement.ledger import open_ledger
from watari.jobs.placement.memory import Memory, readings_of
from watari.jobs.placement.standing import standing
from watari.jobs.placement.world import build_world
from watari.model.compute import ComputeSnapshot, Host
from watari.model.reasons import Finding
from watari.plan.plan import Plan
from watari.policy.values import Policy


def plan(snapshot: ComputeSnapshot, policy: Policy, request: DrainRequest, memory: Memory | None = None) -> Plan:
    """What empties the hosts, in which order and how long it takes; and for what stays, why and what would help.

    `memory`, where there is one, must be of this very snapshot. Deterministic: equal arguments give equal plans.
    Raises BadInput for a host that the snapshot does not hold.
    """
    names = known_hosts(snapshot, request.hosts)
    request = replace(request, hosts=names)
    world = build_world(snapshot, policy, readings_of(snapshot, memory), memory.throttled_rounds if memory else None)
    measured = diagnose(world, policy, memory)
    judged = worst_case(world, measured)
    ledger, stand = open_ledger(world, policy, judged), standing(world, policy)
    wanted = [h for h, host in enumerate(world.hosts) if host.name in names]
    findings = [finding for h in wanted for finding in _findings(world.hosts[h], request)]
    barred = {f.subject for f in findings if f.severity == "error"}
    tiers, beyond = tiers_of(world, policy, judged, ledger, stand, frozenset(wanted))
    emptied = tuple(h for h in wanted if world.hosts[h].name not in barred)
    draft = Draft(world, policy, request, measured, judged, stand, ledger, emptied, tiers, beyond, findings=[*findings])
    place_all(draft)
    return compose(draft)


def _findings(host: Host, request: DrainRequest) -> list[Finding]:
    """What a person should know about a host before it is emptied; an error bars it."""
    found = []
    if host.state == "down":
        note = f" ({host.state_note})" if host.state_note else ""
        cure = f"Recover {host.name}: bring it up again, or evacuate its servers once it is known to be dead."
        found.append(Finding(host.name, "host-down", f"is down{note}: nothing moves live off it", "error", cure))
    elif why := request.storage_why.get(host.name, ""):
        text = f"holds disks that must not go away: {why}"
        found.append(Finding(host.name, "storage", text, "error", "Mend the storage first, then plan again."))
    elif host.state != "up" and not disabled_by_us(host):
        note = host.state_note or "no reason given"
        text = f"is {host.state} already by somebody else: {note}"
        stays = "It stays so: --then enable brings back only what a drain disabled." if request.then_enable else ""
        found.append(Finding(host.name, "disabled", text, "warning", stays))
    return found
