"""Find a place for every server that can leave: the largest first, each to the best host that the rules leave."""

from dataclasses import replace

import numpy as np

from watari.jobs.drain.draft import Choice, Concession, Draft
from watari.jobs.drain.ways import Way, way_out
from watari.jobs.placement.destinations import Destinations, Weighed, open_destinations
from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.ledger import Ledger
from watari.jobs.placement.moves import Move
from watari.jobs.placement.standing import Ban, Standing
from watari.jobs.placement.world import Floats, Ints, World
from watari.model.reasons import Refusal
from watari.policy.values import Policy

CALM = frozenset({"return"})  # a host in trouble does not wait until its servers may go back somewhere
HELPS = {
    "drain.crowd_roles": "With drain.crowd_roles: true it goes, and crowds its role.",
    "drain.allow_steal": "With drain.allow_steal: true it goes to a host that is short of CPU.",
}
NOBODY: Ints = np.zeros(0, np.int64)


def worst_case(world: World, found: Diagnosis) -> Diagnosis:
    """The diagnosis with every unknown load taken as all the server's vCPUs: no host is closed for want of data.

    Nor is one closed because a balance would relieve it: how much it is asked for and who has steal there is looked at
    anyway, and servers that came minutes ago still report the steal of the host that is being emptied.
    """
    unknown, none = ~world.readings.known, np.zeros(len(world.hosts), bool)
    return replace(
        found,
        now=np.where(unknown, world.vcpus, found.now),
        mean=np.where(unknown, world.vcpus, found.mean),
        blind=none,
        hot=none,
    )


def tiers_of(
    world: World, policy: Policy, judged: Diagnosis, ledger: Ledger, standing: Standing, emptied: frozenset[int]
) -> tuple[tuple[tuple[Concession, Destinations], ...], tuple[tuple[str, Destinations], ...]]:
    """The rules of a balance, then what may be conceded when no host passes: role spread first, CPU last.

    A crowded role costs nothing until a host dies, all of a role on one host is worse, steal hurts at once. What the
    policy does not allow is kept apart: it is asked only whether it would help.
    """
    base = open_destinations(world, policy, judged, ledger, standing)
    receives = base.receives.copy()
    receives[list(emptied)] = False
    strict = replace(base, receives=receives, emptied=emptied, waived=CALM, failures={})
    crowd = replace(strict, crowded=True, failures={})
    alone = replace(crowd, waived=CALM | {"alone"}, failures={})
    anyhow = world.up & (world.cpus > 0)
    anyhow[list(emptied)] = False
    anyhow &= np.fromiter((not standing.host_excluded(h.name) for h in world.hosts), bool, len(world.hosts))
    roles, drain = policy.drain.crowd_roles, policy.drain
    steal = replace(strict, receives=anyhow, waived=CALM | {"cpu", "alone"}, crowded=roles, failures={})
    tiers: list[tuple[Concession, Destinations]] = [("", strict)]
    beyond: list[tuple[str, Destinations]] = []
    if policy.destination.spread_roles:
        if roles:
            tiers += [("crowd", crowd), ("alone", alone)]
        else:
            beyond.append(("drain.crowd_roles", alone))
    if drain.allow_steal:
        tiers.append(("steal", steal))
    else:
        beyond.append(("drain.allow_steal", steal))
    return tuple(tiers), tuple(beyond)


def place_all(draft: Draft) -> None:
    """Decide about every server of the emptied hosts: a choice or a refusal."""
    ways: dict[int, Way] = {}
    for h in draft.emptied:
        for s in draft.world.on(h).tolist():
            match way_out(draft.standing, draft.policy, s):
                case Ban(code, why, help_):
                    draft.refusals[s] = _refusal(draft, s, code, why, help_)
                case way:
                    ways[s] = way
    for s in _largest_first(draft, np.array(sorted(ways), np.int64)):
        _place(draft, s, ways[s])


def _largest_first(draft: Draft, servers: Ints) -> list[int]:
    """Late large ones find no room. What counts is the largest share of a host that a server takes in any way.

    Servers that only some hosts may take (aggregates, anti-affinity) come before all others.
    """
    world, ids = draft.world, draft.world.readings.ids
    have = (world.memory_mib.max(), world.disk_gib.max(), world.vcpu_limit.max(), world.cpus.max())
    need = (
        world.server_memory_mib[servers], world.server_disk_gib[servers], world.vcpus[servers],
        draft.ledger.weight(servers) if len(servers) else NOBODY,
    )  # fmt: skip
    shares: Floats = np.max([n / max(float(h), 1e-9) for n, h in zip(need, have, strict=True)], axis=0)

    def bound(s: int) -> bool:
        groups = draft.standing.groups.get(ids[s], ())
        return bool(world.servers[s].aggregates) or any(g.policy == "anti-affinity" for g in groups)

    keyed = zip(servers.tolist(), shares.tolist(), strict=True)
    return [s for s, _ in sorted(keyed, key=lambda pair: (not bound(pair[0]), -pair[1], ids[pair[0]]))]


def _place(draft: Draft, s: int, way: Way) -> None:
    for conceded, places in draft.tiers:
        if (weighed := places.weigh(s)) is not None:
            _book(draft, s, way, conceded, places, weighed)
            return
    _, last = draft.tiers[-1]
    why, cure, nearest = last.why_none(s)
    would = [HELPS[key] for key, places in draft.beyond if places.weigh(s) is not None]
    help_ = f"{cure} {would[0]}" if would else cure
    draft.refusals[s] = replace(_refusal(draft, s, "no-destination", why, help_), candidates=nearest)


def _book(draft: Draft, s: int, way: Way, conceded: Concession, places: Destinations, weighed: Weighed) -> None:
    source = int(draft.world.host_of[s])
    need = draft.ledger.need_without(source, NOBODY)
    candidates = places.candidates(weighed)
    target = weighed.zone.start + weighed.best
    draft.ledger.move(s, source, target)
    draft.choices.append(Choice(Move(s, source, target, need, candidates), way, conceded))


def _refusal(draft: Draft, s: int, code: str, why: str, help_: str) -> Refusal:
    server = draft.world.servers[s]
    return Refusal(server.id, code, why, help_, name=server.name)
