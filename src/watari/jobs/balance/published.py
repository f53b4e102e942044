"""The rule as it was published (B1, B2), without projection: what Watari is measured against.

Every starved server moves itself, to a host of its zone whose steal is under the threshold: least steal first, then
fewest servers of its role. Neither the load that it brings nor moves under way nor what it left before is looked at;
only what the cloud itself would refuse (room, groups, aggregates) is.
"""

import numpy as np

from watari.jobs.balance.draft import Draft
from watari.jobs.placement.moves import Move
from watari.model.reasons import Candidate
from watari.plan.text import percent

LOOKED_AT = ("itself", "memory", "disk", "vcpus", "group", "aggregate")  # what Nova checks


def publish(draft: Draft) -> None:
    """Book a move for every held starved server, worst first, that has a host under the threshold."""
    found = draft.found
    ids = draft.world.readings.ids
    held: list[int] = np.flatnonzero(found.held).tolist()
    for s in sorted(held, key=lambda s: (-found.steal[s], ids[s])):
        ban = draft.standing.ban(s)
        if ban is not None:
            draft.bans[s] = ban
            continue
        _place(draft, s)


def _place(draft: Draft, s: int) -> None:
    places, world = draft.destinations, draft.world
    zone = places.zone(s)
    closed = ~world.up[zone] | (places.worst_steal[zone] >= draft.policy.detect.steal)
    role = int(world.role_of[s])
    need_after, same = draft.ledger.need_with(zone, s), draft.ledger.same_role(role, zone)
    for code, fails in places.rules(s, zone, need_after, same):
        if code in LOOKED_AT:
            closed |= fails
    if closed.all():
        draft.nowhere[s] = places.why_none(s)
        return
    order = np.lexsort((same, places.worst_steal[zone], closed))
    best = int(order[0])
    h, source = zone.start + best, int(world.host_of[s])
    need = draft.ledger.need_without(source, np.zeros(0, np.int64))
    steal = float(places.worst_steal[h])
    name = draft.standing.role(s)
    why = f"least steal now: {percent(steal)}, {int(same[best])} {name or 'of its role'} there"
    chosen = Candidate(
        world.hosts[h].name, steal, steal, int(same[best]), int(draft.ledger.memory_free[h]),
        float(need_after[best] / max(float(world.cpus[h]), 1e-9)), why,
    )  # fmt: skip
    draft.ledger.move(s, source, h)
    draft.moves.append(Move(s, source, h, need, (chosen,)))
