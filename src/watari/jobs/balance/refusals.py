"""Every starved server that is not moved gets a sentence: helped otherwise, waiting, or refused, and the cure."""

from dataclasses import replace

import numpy as np

from watari.jobs.balance.draft import Draft
from watari.jobs.placement.outlook import Outlook
from watari.model.reasons import Refusal
from watari.plan.plan import Operation
from watari.plan.text import percent


def refusals(draft: Draft, seen: Outlook, operations: tuple[Operation, ...]) -> tuple[Refusal, ...]:
    """One per starved server that no operation moves, worst steal first."""
    found = draft.found
    moved = {m.server for m in draft.moves}
    leavers: dict[str, list[str]] = {}
    for o in operations:
        leavers.setdefault(o.source, []).append(o.name)
    starved = np.flatnonzero(found.starved)
    worst_first = starved[np.lexsort((starved, -found.steal[starved]))].tolist()
    return tuple(
        replace(_refusal(draft, seen, leavers, s), name=draft.world.servers[s].name)
        for s in worst_first
        if s not in moved
    )


def _refusal(draft: Draft, seen: Outlook, leavers: dict[str, list[str]], s: int) -> Refusal:
    world, found = draft.world, draft.found
    id_, host = world.readings.ids[s], world.hosts[int(world.host_of[s])].name
    if world.bound_for[s] >= 0:
        return Refusal(id_, "moving", f"is on its way to {world.hosts[int(world.bound_for[s])].name}")
    if host in leavers and int(world.host_of[s]) in draft.eased:
        first = ", ".join(leavers[host])
        return Refusal(id_, "easing", f"{first} leaves {host} first; if its steal lasts, it is looked at again")
    if leavers.get(host) and not seen.starved_after[s]:
        names = ", ".join(leavers[host])
        fall = f"from {percent(float(found.steal[s]))} to {percent(float(seen.steal_after[s]))}"
        return Refusal(id_, "relieved", f"moving {names} off {host} brings its projected steal {fall}")
    if any(f.code == "blind" for f in found.findings):
        return Refusal(id_, "blind", "too few servers send data to plan on", "Check the metrics source.")
    if not found.held[s]:
        hold, now = int(found.needed[s]), int(found.rounds[s])
        why = f"over both limits for {now} of {hold} rounds"
        return Refusal(id_, "hold", why, "It is acted on if it lasts; lower detect.hold_rounds to act sooner.")
    if ban := draft.bans.get(s):
        return Refusal(id_, ban.code, ban.why, ban.help)
    if s in draft.nowhere:
        why, help_, nearest = draft.nowhere[s]
        return Refusal(id_, "no-destination", why, help_, nearest)
    return _left_over(draft, s, host)


def _left_over(draft: Draft, s: int, host: str) -> Refusal:
    """Movable, with a place to go perhaps, and still not moved: nothing to gain, or a cap of the policy."""
    world, ledger = draft.world, draft.ledger
    h, id_ = int(world.host_of[s]), world.readings.ids[s]
    need, cpus = float(ledger.need()[h]), float(world.cpus[h])
    limit = draft.policy.budgets.per_plan
    if limit is not None and len(draft.moves) >= limit:
        return Refusal(
            id_, "budget", f"the plan is full: {limit} of {limit} moves", "Raise budgets.per_plan or plan again."
        )
    if draft.found.blind[h]:
        why = f"servers on {host} send no data, so what it lacks is not known"
        return Refusal(id_, "no-data", why, f"Check the exporter on {host}.")
    if (world.bound_for[world.on(h)] >= 0).any():
        return Refusal(id_, "easing", f"a move under way leaves {host}", "Look again when it is over.")
    if need <= cpus * (1 + 1e-9):
        why = f"{host} is asked for {need:.1f} of {cpus:.1f} cores now: its steal should fall by itself"
        return Refusal(
            id_, "easing", why, "If it lasts, look for CPU pinning, a CPU quota of its flavor or a throttled host."
        )
    why = f"asks for {float(draft.found.now[s]):.2f} cores; {host} lacks {need - cpus:.1f}: its leaving would not help"
    return Refusal(id_, "too-small", why, "Move or resize the servers that cannot move, or add CPU.")
