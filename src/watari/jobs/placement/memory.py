"""What a balancer remembers between rounds: smoothed loads, how long a threshold holds, and the shape of a day.

A `Memory` is a value: `remember(memory, snapshot, policy)` returns the next one. Its arrays follow `ids`; a server that
appears starts without a past, one that disappears is forgotten.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from watari.jobs.placement.world import Bools, Floats, Ints, Readings, read_loads, settled, throttled
from watari.model.compute import ComputeSnapshot, ServerId
from watari.policy.values import Policy

DEMAND_MEMORY_S = 1800.0  # time constant of the mean and variance of demand: half an hour, a few bursts long
FIRST_GUESS = 0.25  # a server's standard deviation before it is known, as a share of its demand


@dataclass(frozen=True, slots=True)
class DayShape:
    """Mean demand per server and slot of the day, blended over days; NaN where never seen. cores[servers, slots]."""

    cores: NDArray[np.float32]
    slot: int  # being summed up now
    total: Floats
    count: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Arrays over the servers of `ids`; steal and load smoothed with `detect.smoothing`, demand over half an hour."""

    ids: tuple[ServerId, ...]
    at: datetime
    steal: Floats
    load: Floats
    mean: Floats  # cores
    variance: Floats  # cores squared
    seen: Bools  # ever had a reading
    rounds: Ints  # consecutive rounds over both thresholds
    host_rounds: dict[str, int]  # consecutive rounds of a host with more demand than `detect.host_over`
    throttled_rounds: dict[str, int]  # consecutive rounds of a host that gave less than its threads
    readings: Readings  # of the last snapshot
    shape: DayShape | None = None


def remember(memory: Memory | None, snapshot: ComputeSnapshot, policy: Policy) -> Memory:
    """Fold one snapshot into the memory."""
    now = read_loads(snapshot, policy.detect.stale_after_s)
    old = _start(now, snapshot) if memory is None else _follow(memory, now.ids)
    elapsed_s = max(0.0, (snapshot.taken_at - old.at).total_seconds())
    quick, slow = _blend(elapsed_s, policy.detect.smoothing_s), _blend(elapsed_s, DEMAND_MEMORY_S)
    first, again = now.known & ~old.seen, now.known & old.seen
    steal = _smooth(old.steal, now.steal, first, again, quick)
    load = _smooth(old.load, now.load, first, again, quick)
    error = now.demand - old.mean
    guess = (FIRST_GUESS * now.demand) ** 2
    variance = np.where(again, (1 - slow) * (old.variance + slow * error**2), np.where(first, guess, old.variance))
    # The same reading seen twice is one round; a missing one neither counts nor clears.
    was_s = np.where(np.isfinite(old.readings.age_s), old.readings.age_s, 0.0)
    fresh = (elapsed_s + was_s - np.where(now.known, now.age_s, 0.0) > 1e-6) | ~old.seen
    over_hosts, slow_hosts = _host_states(snapshot, now, policy)
    over = now.known & policy.detect.starved(steal, load)
    return Memory(
        ids=now.ids,
        at=snapshot.taken_at,
        steal=steal,
        load=load,
        mean=_smooth(old.mean, now.demand, first, again, slow),
        variance=variance,
        seen=old.seen | now.known,
        rounds=np.where(now.known & fresh, np.where(over, old.rounds + 1, 0), old.rounds),
        host_rounds=_host_rounds(old.host_rounds, over_hosts, snapshot) if fresh.any() else old.host_rounds,
        throttled_rounds=_host_rounds(old.throttled_rounds, slow_hosts, snapshot),
        readings=now,
        shape=_shape(old.shape, snapshot.taken_at, np.where(now.known, now.demand, old.mean), policy),
    )


def after_gap(memory: Memory) -> Memory:
    """The memory after nobody has looked for a while, or the clock was set: the learned day stays, nothing has held."""
    nothing, readings = np.zeros_like(memory.rounds), memory.readings
    return replace(
        memory,
        seen=np.zeros_like(memory.seen),
        rounds=nothing,
        host_rounds={},
        throttled_rounds={},
        readings=replace(readings, age_s=np.full_like(readings.age_s, np.inf)),
    )


def rounds_needed(policy: Policy, *, far: bool) -> int:
    """Rounds that a threshold has to hold; half of them, rounded up, for what is far over it."""
    hold = policy.detect.hold_rounds
    return (hold + 1) // 2 if far else hold


def needs_help(memory: Memory, snapshot: ComputeSnapshot, policy: Policy) -> bool:
    """Would a plan have anything to say? False in a calm cloud, which is most rounds; much cheaper than a plan."""
    hold = rounds_needed(policy, far=True)
    if bool((memory.readings.known & (memory.rounds >= 1)).any()) or any(
        n >= hold for n in memory.host_rounds.values()
    ):
        return True
    ahead = forecast_cores(memory, policy, snapshot.taken_at)
    if not len(ahead):
        return False
    number = {name: i for i, name in enumerate(snapshot.hosts)}
    where = np.fromiter((number[s.host] for s in snapshot.servers.values()), np.int64, len(memory.ids))
    cpus = np.array([h.cpus for h in snapshot.hosts.values()])
    return any((np.bincount(where, row, len(cpus)) > policy.look_ahead.over * cpus).any() for row in ahead)


def readings_of(snapshot: ComputeSnapshot, memory: Memory | None) -> Readings | None:
    """The readings that `remember` made of this very snapshot, so that they are not made twice.

    Raises ValueError for a memory of another snapshot: a plan on it would mix two states of the cloud.
    """
    if memory is None:
        return None
    if memory.at != snapshot.taken_at or memory.ids != tuple(snapshot.servers):
        raise ValueError("the memory belongs to another snapshot: call remember(memory, snapshot, policy) first")
    return memory.readings


def forecast_cores(memory: Memory | None, policy: Policy, at: datetime) -> Floats:
    """Expected demand per coming slot within the look-ahead: cores[slots ahead, servers]; no rows without a past day.

    A server that has no value for a slot counts with its present mean.
    """
    ahead = policy.look_ahead
    if memory is None or memory.shape is None or ahead.horizon_s <= 0:
        return np.zeros((0, 0 if memory is None else len(memory.ids)))
    slots = memory.shape.cores.shape[1]
    here = _slot(at, policy)
    coming = [(here + k) % slots for k in range(1, int(ahead.horizon_s // ahead.slot_s) + 1)]
    wanted = memory.shape.cores[:, coming].T.astype(float)
    keep = ~np.isnan(wanted).all(axis=1)
    return np.where(np.isnan(wanted[keep]), memory.mean, wanted[keep])


def _start(now: Readings, snapshot: ComputeSnapshot) -> Memory:
    zeros = np.zeros(len(now.ids))
    nothing = replace(now, age_s=np.full(len(now.ids), np.inf))
    never, rounds = zeros.astype(bool), zeros.astype(np.int64)
    return Memory(now.ids, snapshot.taken_at, zeros, zeros, zeros, zeros, never, rounds, {}, {}, nothing)


def _follow(memory: Memory, ids: tuple[ServerId, ...]) -> Memory:
    """The same memory with its arrays in the order of `ids`."""
    if memory.ids == ids:
        return memory
    place = {id_: i for i, id_ in enumerate(memory.ids)}
    take = np.fromiter((place.get(i, -1) for i in ids), np.int64, len(ids))
    old, found = np.maximum(take, 0), take >= 0

    def pick(column: Floats) -> Floats:
        return np.where(found, column[old], 0.0) if len(memory.ids) else np.zeros(len(ids))

    shape = memory.shape
    if shape is not None and len(memory.ids):
        cores = np.where(found[:, None], shape.cores[old], np.float32(np.nan))
        shape = replace(shape, cores=cores, total=pick(shape.total))
    return replace(
        memory,
        ids=ids,
        steal=pick(memory.steal),
        load=pick(memory.load),
        mean=pick(memory.mean),
        variance=pick(memory.variance),
        seen=pick(memory.seen.astype(float)) > 0,
        rounds=pick(memory.rounds.astype(float)).astype(np.int64),
        readings=replace(memory.readings, age_s=np.where(found, memory.readings.age_s[old], np.inf))
        if len(memory.ids)
        else memory.readings,
        shape=shape if len(memory.ids) else None,
    )


def _blend(elapsed_s: float, constant_s: float) -> float:
    """Weight of a new reading in a moving average with this time constant."""
    return 1.0 if constant_s <= 0 else 1.0 - float(np.exp(-elapsed_s / constant_s))


def _smooth(old: Floats, new: Floats, first: Bools, again: Bools, weight: float) -> Floats:
    return np.where(again, old + weight * (new - old), np.where(first, new, old))


def _host_states(snapshot: ComputeSnapshot, now: Readings, policy: Policy) -> tuple[Bools, Bools]:
    """Hosts with more demand than `detect.host_over` of their threads, and hosts that gave less than their threads."""
    hosts = tuple(snapshot.hosts.values())
    number = {host.name: i for i, host in enumerate(hosts)}
    servers = snapshot.servers.values()
    where = np.fromiter(map(number.__getitem__, map(attrgetter("host"), servers)), np.int64, len(now.ids))
    vcpus = np.fromiter(map(attrgetter("vcpus"), servers), np.float64, len(now.ids))
    cpus = np.array([h.cpus for h in hosts], np.float64)
    slow, _ = throttled(cpus, where, vcpus, now, settled(snapshot, hosts))
    limit = policy.detect.host_over
    if limit is None:
        return np.zeros(len(hosts), bool), slow
    return np.bincount(where, now.demand, len(hosts)) > limit * cpus, slow


def _host_rounds(old: dict[str, int], holds: Bools, snapshot: ComputeSnapshot) -> dict[str, int]:
    """Count one more round for the hosts of which it holds; the others start anew."""
    names = tuple(snapshot.hosts)
    return {names[h]: old.get(names[h], 0) + 1 for h in np.flatnonzero(holds).tolist()}


def _slot(at: datetime, policy: Policy) -> int:
    local = policy.local(at)
    return int((local.hour * 3600 + local.minute * 60 + local.second) // policy.look_ahead.slot_s)


def _shape(old: DayShape | None, at: datetime, cores: Floats, policy: Policy) -> DayShape | None:
    """Sum up the running slot; when the slot changes, blend its mean into the day (new days weigh 0.4)."""
    if policy.look_ahead.horizon_s <= 0:
        return None
    n, slot, slots = len(cores), _slot(at, policy), int(np.ceil(86400 / policy.look_ahead.slot_s))
    if old is None or old.cores.shape[1] != slots:  # a policy that cuts the day otherwise learns it anew
        empty = np.full((n, slots), np.nan, np.float32)
        return DayShape(empty, slot, cores.copy(), 1)
    if old.slot == slot:
        return DayShape(old.cores, slot, old.total + cores, old.count + 1)
    day, mean = old.cores.copy(), (old.total / max(1, old.count)).astype(np.float32)
    before = day[:, old.slot]
    day[:, old.slot] = np.where(np.isnan(before), mean, 0.6 * before + 0.4 * mean)
    return DayShape(day, slot, cores.copy(), 1)
