"""What a person should know about a drain beside its moves: full zones, unknown loads, servers that still arrive."""

import numpy as np

from watari.jobs.drain.draft import Draft
from watari.jobs.placement.outlook import Outlook
from watari.jobs.placement.world import Ints
from watari.model.reasons import Finding, Refusal
from watari.plan.text import count, gib, percent

FULL_MEMORY = 0.95  # of what the zone's other hosts have: the next drain or death finds no room


def findings(draft: Draft, seen: Outlook) -> tuple[Finding, ...]:
    """What was found about the hosts themselves, then about their zones."""
    world = draft.world
    zones = sorted({int(world.zone_of[h]) for h in draft.emptied})
    return (
        *draft.findings,
        *_storage_together(draft),
        *_alone(draft),
        *(finding for z in zones for finding in (*_unknown(draft, z), *_left_over(draft, seen, z))),
    )


def arriving(draft: Draft) -> tuple[Refusal, ...]:
    """Servers that are under way to a host that is emptied: they come after this plan was made."""
    world = draft.world
    names = {world.hosts[h].name for h in draft.emptied}
    out = []
    for flight in world.snapshot.flights:
        server = world.snapshot.servers.get(flight.server)
        if flight.target in names and server is not None:
            why, cure = f"is on its way from {flight.source} to {flight.target}", "Plan again when it has arrived."
            out.append(Refusal(server.id, "arriving", why, cure, name=server.name))
    return tuple(sorted(out, key=lambda r: (r.name, r.subject)))


def _storage_together(draft: Draft) -> list[Finding]:
    """Two hosts that may each go away need not be allowed to go away together."""
    names = [draft.world.hosts[h].name for h in draft.emptied]
    asked = [name for name in names if name in draft.request.storage_why]
    if len(asked) < 2:
        return []
    text = f"the storage was asked about each of {', '.join(asked)} alone, not about all of them together"
    return [Finding(asked[0], "storage-together", text, "warning", "Empty together, switch off one after the other.")]


def _alone(draft: Draft) -> list[Finding]:
    """Roles that the drain brings together on one host: its death would end them."""
    world, made = draft.world, [choice for choice in draft.choices if choice.conceded == "alone"]
    last = {int(world.role_of[choice.move.server]): choice.move.target for choice in made}
    out = []
    for role, h in last.items():
        text = f"all servers of the role {world.role_names[role]} would be on it: its death would end the role"
        cure = "Bring a host back soon and spread the role, or set drain.crowd_roles to false: one stays."
        out.append(Finding(world.hosts[h].name, "alone", text, "warning", cure))
    return out


def _unknown(draft: Draft, z: int) -> list[Finding]:
    world = draft.world
    here = (world.zone_of[world.host_of] == z) & ~world.readings.known
    if not here.any() or not _inhabited(draft, z):
        return []
    name = world.zone_names[z]
    text = f"{count(int(here.sum()), 'server')} there send no usable load; each counts as asking for all its vCPUs"
    return [Finding(name, "no-data", text, "warning", f"Check the metrics of {name}: with them more may find room.")]


def _left_over(draft: Draft, seen: Outlook, z: int) -> list[Finding]:
    """How full the rest of the zone is afterwards; a zone without a rest has nowhere to go."""
    world, zone = draft.world, draft.world.zone_slice[z]
    wanted = {world.hosts[h].name for h in range(zone.start, zone.stop)} & set(draft.request.hosts)
    rest = np.array([h for h in range(zone.start, zone.stop) if world.up[h] and world.hosts[h].name not in wanted])
    name = world.zone_names[z]
    if not len(rest):
        text, cure = "has no other host in service: its servers have nowhere to go", f"Add a host to {name} first."
        return [Finding(h, "last-of-zone", text, "warning", cure) for h in _inhabited(draft, z)]
    return [*_cpu(draft, seen, name, rest), *_memory(draft, seen, name, rest)]


def _inhabited(draft: Draft, z: int) -> list[str]:
    """Hosts of the zone that are emptied and have servers."""
    world = draft.world
    return [world.hosts[h].name for h in draft.emptied if world.zone_of[h] == z and len(world.on(h))]


def _cpu(draft: Draft, seen: Outlook, name: str, rest: Ints) -> list[Finding]:
    need = float(draft.world.host_sum(draft.measured.now, seen.at)[rest].sum())
    have = float(draft.world.cpus[rest].sum())
    most = 1 - draft.policy.destination.headroom
    if need <= most * have:
        return []
    share = f"{_share(need, have)}, limit {percent(most)}"
    text = f"its other hosts would be asked for {need:.1f} of {have:.1f} cores ({share})"
    return [Finding(name, "zone-full", text, "warning", f"Add hosts to {name}, or bring the drained ones back soon.")]


def _memory(draft: Draft, seen: Outlook, name: str, rest: Ints) -> list[Finding]:
    world = draft.world
    used = float(world.host_sum(world.server_memory_mib, seen.at)[rest].sum())
    have = float(world.memory_mib[rest].sum())
    if used <= FULL_MEMORY * have:
        return []
    text = f"its other hosts would have {gib(used)} of {gib(have)} memory in use ({_share(used, have)})"
    return [Finding(name, "zone-full", text, "warning", f"Add hosts to {name}: another host's servers find no room.")]


def _share(part: float, whole: float) -> str:
    return percent(part / max(whole, 1e-9))
