"""Who is starved, which hosts have to be relieved, and what cannot be judged."""

from dataclasses import dataclass

import numpy as np

from watari.jobs.placement.memory import Memory, forecast_cores, rounds_needed
from watari.jobs.placement.world import Bools, Floats, Ints, World
from watari.model.reasons import Finding
from watari.plan.text import format_duration, listed
from watari.policy.values import Policy

FAR_STEAL = 2.0  # times detect.steal, and
FAR_DEMAND = 1.1  # times detect.host_over: far over the limit, half the rounds are enough
BLIND_SHARE = 0.5  # with more servers than this unknown the meter is broken, not the cloud: nothing is planned


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Judgement over arrays of World: `steal` and `load` smoothed; `starved` now, `held` long enough to act on.

    `now`, `mean`, `variance`: demand per server in cores; `ahead[k, s]`: forecast demand of the coming slots.
    `hot`: hosts to relieve, `why` per host: "starved", "over" or "forecast".
    """

    steal: Floats
    load: Floats
    now: Floats
    mean: Floats
    variance: Floats
    ahead: Floats
    rounds: Ints
    needed: Ints  # rounds that have to hold: fewer far over the limit
    starved: Bools
    held: Bools
    hot: Bools
    why: dict[int, str]
    blind: Bools  # hosts with at least one server of unknown load
    findings: tuple[Finding, ...]


def diagnose(world: World, policy: Policy, memory: Memory | None) -> Diagnosis:
    """B1: steal AND load over their thresholds, for `hold_rounds` rounds (half of them when steal is far over).

    Unknown is neither starved nor healthy.

    Without a memory every reading is taken as having lasted: a snapshot file holds means over a window.
    """
    r, detect = world.readings, policy.detect
    if memory is None:
        steal, load, mean, variance = r.steal, r.load, r.demand, np.zeros(len(r.ids))
        rounds = np.full(len(r.ids), detect.hold_rounds)
    else:
        steal, load, mean, variance = (
            np.where(r.known, c, 0.0) for c in (memory.steal, memory.load, memory.mean, memory.variance)
        )
        rounds = memory.rounds
    starved = r.known & detect.starved(steal, load)
    far = steal >= FAR_STEAL * detect.steal
    needed = np.where(far, rounds_needed(policy, far=True), rounds_needed(policy, far=False))
    held = starved & (rounds >= needed)
    ahead = forecast_cores(memory, policy, world.snapshot.taken_at)
    hot, why = _hot(world, policy, memory, held, ahead)
    blind = world.host_sum((~r.known).astype(float), world.host_of) > 0
    findings = (*_blind_findings(world, policy), *_odd_findings(world))
    if _too_blind(world):
        held, hot, why = np.zeros_like(held), np.zeros_like(hot), {}
    return Diagnosis(
        steal, load, r.demand, mean, variance, ahead, rounds, needed, starved, held, hot, why, blind, findings
    )


def _hot(
    world: World, policy: Policy, memory: Memory | None, held: Bools, ahead: Floats
) -> tuple[Bools, dict[int, str]]:
    """Hosts with a held starved server, hosts over their capacity for long enough, hosts that will be."""
    n = len(world.hosts)
    why: dict[int, str] = {}
    if len(ahead) and policy.look_ahead.horizon_s > 0:
        expected = np.stack([world.host_sum(row) for row in ahead])
        for h in np.flatnonzero((expected > policy.look_ahead.over * world.cpus).any(axis=0)).tolist():
            why[h] = "forecast"
    if policy.detect.host_over is not None:
        demand = world.host_sum(world.readings.demand, world.host_of)
        for h in np.flatnonzero(demand > policy.detect.host_over * world.cpus * (1 + 1e-9)).tolist():
            rounds = None if memory is None else memory.host_rounds.get(world.hosts[h].name, 0)
            far = demand[h] > FAR_DEMAND * policy.detect.host_over * world.cpus[h]
            if rounds is None or rounds >= rounds_needed(policy, far=bool(far)):
                why[h] = "over"
    for h in np.unique(world.host_of[held]).tolist():
        why[h] = "starved"
    hot = np.zeros(n, bool)
    hot[list(why)] = True
    return hot, why


def _too_blind(world: World) -> bool:
    known = world.readings.known
    return len(known) > 0 and float(1 - known.mean()) > BLIND_SHARE


def _blind_findings(world: World, policy: Policy) -> tuple[Finding, ...]:
    """One finding per host with unknown servers; one for the whole cloud when the meter itself seems broken."""
    r = world.readings
    if r.known.all():
        return ()
    findings = []
    if _too_blind(world):
        share = 100 * float(1 - r.known.mean())
        findings.append(
            Finding(
                world.snapshot.cloud or "cloud",
                "blind",
                f"{share:.0f} % of the servers send no usable load; nothing is planned on so little data",
                "error",
                "Check the metrics source, then plan again.",
            )
        )
    n = len(world.hosts)
    unknown = np.bincount(world.host_of, ~r.known, n).astype(int)
    total = np.bincount(world.host_of, minlength=n)
    newest_s = np.full(n, np.inf)
    np.minimum.at(newest_s, world.host_of[~r.known], r.age_s[~r.known])
    findings.extend(
        _blind_host(world, policy, h, int(unknown[h]), int(total[h]), float(newest_s[h]))
        for h in np.flatnonzero(unknown).tolist()
    )
    return tuple(findings)


def _odd_findings(world: World) -> tuple[Finding, ...]:
    capped = world.readings.capped
    if not len(capped):
        return ()
    names = listed(tuple(world.servers[s].name for s in capped.tolist()), 3)
    text = f"{names} seem to ask for more cores than they have vCPUs; counted as asking for all of them"
    return (Finding(names, "odd-load", text, "warning", "Check how the meter computes demand."),)


def _blind_host(world: World, policy: Policy, h: int, unknown: int, total: int, age_s: float) -> Finding:
    name, limit_s = world.hosts[h].name, policy.detect.stale_after_s
    whose = "all its" if unknown == total else f"{unknown} of its {total}"
    if age_s <= limit_s or np.isinf(age_s):
        what = "no usable load"
    else:
        what = f"no load for {format_duration(age_s)} (limit {format_duration(limit_s)})"
    text = f"{whose} servers send {what}; they are not moved and {name} receives nothing"
    return Finding(name, "no-data", text, "warning", f"Check the exporter on {name}.")
