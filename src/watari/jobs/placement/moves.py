"""A chosen move, and the budgets that it takes a place of."""

from dataclasses import dataclass

from watari.jobs.placement.standing import Standing
from watari.jobs.placement.world import World
from watari.model.compute import Host
from watari.model.reasons import Candidate
from watari.plan.waves import Slot, Waves, move_slots, waves_from
from watari.policy.values import Budgets


@dataclass(frozen=True, slots=True)
class Move:
    """One chosen move, in indices of World, with what was known when it was chosen."""

    server: int
    source: int
    target: int
    need_before: float  # cores asked of the source before the move
    candidates: tuple[Candidate, ...]


def slots_of(world: World, standing: Standing, budgets: Budgets, s: int, source: str, target: str) -> tuple[Slot, ...]:
    """The concurrency budgets that moving server `s` takes a place of."""
    b = budgets
    limits = {"total": b.total, "out": b.per_host_out, "in": b.per_host_in, "zone": b.per_zone, "role": b.per_role}
    zone = world.zone_names[int(world.zone_of[world.host_of[s]])]
    slots = move_slots(source, target, zone, standing.role(s), limits)
    link = at_once_per_link(b)
    return slots if link is None else (*slots, *(Slot(f"link of {host}", link) for host in (source, target)))


def at_once_per_link(budgets: Budgets) -> int | None:
    """Moves, in and out, that fit on one link's budget: without a limit per move the first takes all of it."""
    if budgets.link_mib_s is None:
        return None
    return max(1, int(budgets.link_mib_s // (budgets.move_mib_s or budgets.link_mib_s)))


def open_waves(world: World, standing: Standing, budgets: Budgets, start: int = 1) -> Waves:
    """Waves from number `start` on; the first one holds what is under way."""
    number = {id_: i for i, id_ in enumerate(world.readings.ids)} if world.snapshot.flights else {}
    under_way = (
        slots_of(world, standing, budgets, number[f.server], f.source, f.target)
        for f in world.snapshot.flights
        if f.server in number
    )
    return waves_from(under_way, start)


def rate_mib_s(budgets: Budgets, source: Host, target: Host) -> float:
    """What a move between two hosts can copy per second at most: links, and our budgets for them."""
    limits = (budgets.move_mib_s, budgets.link_mib_s, source.link_mib_s, target.link_mib_s)
    return min(r for r in limits if r is not None)
