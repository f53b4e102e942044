"""Choose which servers leave a hot host: the fewest that relieve it, and of these the cheapest to move."""

import numpy as np

from watari.jobs.placement.ledger import Ledger, relieved
from watari.jobs.placement.world import Floats, Ints, World
from watari.policy.values import Weights

LEAST_CORES = 0.05  # a server that asks for less than this cannot help its host by leaving


def choose(ledger: Ledger, h: int, movable: Ints) -> Ints | None:
    """Servers to take off host `h`, largest first; None if even all of them do not relieve it.

    Of equal servers the one that stands first in `movable` goes.
    The number is the smallest possible: taking the k largest relieves as much as any k can. Among sets of that size the
    one with the fewest GiB to copy is looked for: exactly for one and two servers, by exchange for more.
    """
    weight = ledger.weight(movable)
    useful = weight > LEAST_CORES
    pool = movable[useful][np.argsort(-weight[useful], kind="stable")]
    if relieved(ledger, h, pool[:0]):
        return pool[:0]
    k = _fewest(ledger, h, pool)
    if k is None:
        return None
    cost = _cost(ledger.world, ledger.policy.weights, ledger, pool)
    if k == 1:
        return _cheapest_single(ledger, h, pool, cost)
    if k == 2 and len(pool) <= 200:
        return _cheapest_pair(ledger, h, pool, cost)
    return _exchange(ledger, h, pool, cost, k)


def _fewest(ledger: Ledger, h: int, pool: Ints) -> int | None:
    """Smallest k such that the k largest of `pool` relieve the host; None if all of them do not."""
    short = _short(ledger, h, pool)
    for k in range(1, len(pool) + 1):
        if short is not None and k < short:
            continue
        if relieved(ledger, h, pool[:k]):
            return k
    return None


def _short(ledger: Ledger, h: int, pool: Ints) -> int | None:
    """A lower bound of k from demand now alone, so that long pools are not tried one by one."""
    off = np.cumsum(ledger.demands[0, pool])
    gap = ledger.levels[0, h] - ledger.ceiling[h]
    return int(np.searchsorted(off, gap - 1e-9)) + 1 if gap > 0 else None


def _cost(world: World, weights: Weights, ledger: Ledger, pool: Ints) -> Floats:
    """GiB to copy, plus a little for demand: of two equal copies the smaller consumer finds a place more easily."""
    gib: Floats = world.server_memory_mib[pool] / 1024 + world.server_disk_gib[pool]
    return weights.gib * gib + 0.001 * ledger.weight(pool)


def _without_each(ledger: Ledger, h: int, gone: Ints, pool: Ints) -> Floats:
    """`need` of the host without `gone` and without each server of the pool in turn."""
    levels = ledger.levels[:, h] - ledger.demands[:, gone].sum(axis=1)
    now: Floats = (levels[:, None] - ledger.demands[:, pool]).max(axis=0)
    if not ledger.cautious or ledger.bold[h]:
        return now
    mean = ledger.host_mean[h] - ledger.mean[gone].sum()
    variance = ledger.host_variance[h] - ledger.variance[gone].sum()
    caution = ledger.policy.destination.caution
    spread = np.sqrt(np.maximum(0.0, variance - ledger.variance[pool]))
    cautiously: Floats = np.maximum(now, mean - ledger.mean[pool] + caution * spread)
    return cautiously


def _enough(ledger: Ledger, h: int) -> float:
    return float(ledger.ceiling[h])


def _cheapest_single(ledger: Ledger, h: int, pool: Ints, cost: Floats) -> Ints:
    fits = np.flatnonzero(_without_each(ledger, h, pool[:0], pool) <= _enough(ledger, h))
    return pool[fits[[np.argmin(cost[fits])]]] if len(fits) else pool[:1]


def _cheapest_pair(ledger: Ledger, h: int, pool: Ints, cost: Floats) -> Ints:
    best, pair = np.inf, pool[:2]
    for i in range(len(pool)):
        rest = pool[i + 1 :]
        if not len(rest):
            break
        fits = np.flatnonzero(_without_each(ledger, h, pool[[i]], rest) <= _enough(ledger, h))
        if not len(fits):
            if i == 0:
                continue
            break  # pool falls in weight: later pairs relieve less
        j = int(fits[np.argmin(cost[i + 1 :][fits])])
        if cost[i] + cost[i + 1 + j] < best:
            best, pair = float(cost[i] + cost[i + 1 + j]), pool[[i, i + 1 + j]]
    return pair


def _exchange(ledger: Ledger, h: int, pool: Ints, cost: Floats, k: int) -> Ints:
    """Start with the k largest; replace each by the cheapest other that still relieves the host, until none can be."""
    chosen = list(range(k))
    for _ in range(3):
        changed = False
        for place in range(k):
            others = [c for i, c in enumerate(chosen) if i != place]
            open_ = np.ones(len(pool), bool)
            open_[others] = False
            free = np.flatnonzero(open_)
            fits = free[_without_each(ledger, h, pool[others], pool[free]) <= _enough(ledger, h)]
            if not len(fits):
                continue
            j = int(fits[np.argmin(cost[fits])])
            if cost[j] < cost[chosen[place]] - 1e-12:
                chosen[place], changed = j, True
        if not changed:
            break
    return pool[sorted(chosen)]
