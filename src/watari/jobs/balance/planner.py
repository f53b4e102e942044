"""Plan a balance: relieve every hot host with the fewest moves, each to the best host of its zone."""

import heapq
from datetime import timedelta

import numpy as np

from watari.jobs.balance.compose import compose
from watari.jobs.balance.draft import Draft
from watari.jobs.balance.published import publish
from watari.jobs.balance.victims import choose
from watari.jobs.placement.destinations import Weighed, open_destinations
from watari.jobs.placement.detect import diagnose
from watari.jobs.placement.ledger import open_ledger, relieved
from watari.jobs.placement.memory import Memory, readings_of
from watari.jobs.placement.moves import Move
from watari.jobs.placement.standing import standing
from watari.jobs.placement.world import Ints, build_world
from watari.model.compute import ComputeSnapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy

NOBODY: Ints = np.zeros(0, np.int64)
LASTING_ROUNDS = 10  # so long steal has to last on a host that is not asked for too much
BUSY_SHARE = 0.5  # of its threads: below it a host is idle enough to give everybody what they ask for


def plan(snapshot: ComputeSnapshot, policy: Policy, memory: Memory | None = None) -> Plan:
    """What should move now, and why; what should and cannot, and why not.

    `memory` must be the one that `remember` returned for this very snapshot; without one, the readings are taken as
    means over a window that lasted long enough. Deterministic: equal arguments give equal plans.
    """
    draft = draft_plan(snapshot, policy, memory)
    return compose(draft, snapshot.taken_at + timedelta(seconds=policy.expires_s))


def draft_plan(snapshot: ComputeSnapshot, policy: Policy, memory: Memory | None = None) -> Draft:
    """The decisions of a plan, before they are put into words."""
    world = build_world(snapshot, policy, readings_of(snapshot, memory), memory.throttled_rounds if memory else None)
    found = diagnose(world, policy, memory)
    ledger, stand = open_ledger(world, policy, found), standing(world, policy)
    draft = Draft(world, policy, found, stand, ledger, open_destinations(world, policy, found, ledger, stand))
    draft.lasting = None if memory is None else found.rounds >= LASTING_ROUNDS
    if policy.rule == "published":
        publish(draft)
    else:
        _relieve(draft)
    return draft


def _relieve(draft: Draft) -> None:
    """Place the largest victim first, over all hosts: late large ones find no room. Each failure is tried once.

    A host's choice of victims is made anew when one of them has no destination; `version` marks the choice that an
    entry of the heap belongs to.
    """
    movable = {h: set(draft.world.on(h).tolist()) for h in np.flatnonzero(draft.found.hot).tolist()}
    version = dict.fromkeys(movable, 0)
    heap: list[tuple[float, str, int, int, int]] = []
    for h in movable:
        _queue(draft, h, movable[h], version, heap)
    limit = draft.policy.budgets.per_plan
    while heap and (limit is None or len(draft.moves) < limit):
        _, _, s, h, made = heapq.heappop(heap)
        if made != version[h] or (h not in draft.eased and relieved(draft.ledger, h, NOBODY)):
            continue
        movable[h].remove(s)
        weighed = draft.destinations.weigh(s)
        if weighed is None:
            _nowhere(draft, s, movable[h])
            _queue(draft, h, movable[h], version, heap)
        else:
            _book(draft, s, h, weighed)


def _queue(
    draft: Draft, h: int, movable: set[int], version: dict[int, int], heap: list[tuple[float, str, int, int, int]]
) -> None:
    version[h] += 1
    chosen = _choose(draft, h, movable)
    for s, cores in zip(chosen.tolist(), draft.ledger.weight(chosen).tolist(), strict=True):
        heapq.heappush(heap, (-cores, draft.world.readings.ids[s], s, h, version[h]))


def _nowhere(draft: Draft, s: int, movable: set[int]) -> None:
    """Note why no host takes `s`; neighbours that are as large in every way need not be tried."""
    draft.nowhere[s] = why = draft.destinations.why_none(s)
    for t in [t for t in movable if draft.destinations.known_to_fail(t)]:
        draft.nowhere[t] = why
        movable.remove(t)


def _choose(draft: Draft, h: int, movable: set[int]) -> Ints:
    """Victims of host `h`, none of them banned; whoever is found to be is taken out of `movable`."""
    while True:
        ids = draft.world.readings.ids
        pool = np.array(sorted(movable, key=ids.__getitem__), np.int64)  # of equal servers the first by id
        chosen = choose(draft.ledger, h, pool)
        if chosen is None and not draft.ledger.bold[h]:
            draft.ledger.bold[h] = True
            chosen = choose(draft.ledger, h, pool)
        if chosen is None:  # what cannot leave is too much for the host alone: at least those that starve get away
            draft.halfway.add(h)
            chosen = pool[draft.found.held[pool]]
        elif not len(chosen):
            chosen = _worst_off(draft, h, pool)
        bans = {s: ban for s in chosen.tolist() if (ban := draft.standing.ban(s))}
        if not bans:
            return chosen
        draft.bans |= bans
        movable.difference_update(bans)


def _worst_off(draft: Draft, h: int, pool: Ints) -> Ints:
    """One server that starves although its host is not asked for too much, as far as anybody knows.

    Neighbours of unknown load, or a bottleneck that demand does not show: if it lasts, the worst-off gets away and the
    rest is looked at again. Not while moves leave the host, and not off a host that is mostly idle: there a CPU quota
    is the likely cause, and no other host cures it.
    """
    world, found, ledger = draft.world, draft.found, draft.ledger
    here = world.on(h)
    idle = ledger.levels[0, h] < BUSY_SHARE * world.cpus[h] and not found.blind[h]
    if idle or (world.bound_for[here] >= 0).any() or any(m.source == h for m in draft.moves):
        return NOBODY
    starving = pool[found.held[pool]]
    if draft.lasting is not None and not found.blind[h]:
        starving = starving[draft.lasting[starving]]
    if not len(starving):
        return NOBODY
    draft.eased.add(h)
    return starving[[np.argmax(found.steal[starving] * world.vcpus[starving])]]


def _book(draft: Draft, s: int, source: int, weighed: Weighed) -> None:
    need = draft.ledger.need_without(source, NOBODY)
    candidates = draft.destinations.candidates(weighed)
    target = weighed.zone.start + weighed.best
    draft.ledger.move(s, source, target)
    draft.moves.append(Move(s, source, target, need, candidates))
