"""What moves should bring: steal and starved servers after, by the fluid share of each host's CPU."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.moves import Move
from watari.jobs.placement.world import Bools, Floats, Ints, World
from watari.plan.plan import Forecast, HostForecast
from watari.policy.values import Detect


@dataclass(frozen=True, slots=True)
class Outlook:
    """`at` is where each server will be; hosts that no move touches keep what was measured."""

    at: Ints
    steal_after: Floats  # per server
    starved_after: Bools
    changed: Bools  # hosts
    relieved: dict[int, tuple[int, ...]]
    forecast: Forecast

    def relieved_on(self, h: int) -> tuple[int, ...]:
        """Starved servers that stay on host `h` and will not be starved any more."""
        return self.relieved.get(h, ())


def outlook(world: World, found: Diagnosis, detect: Detect, moves: Iterable[Move]) -> Outlook:
    """Project every host that a move touches: steal = max(0, 1 - capacity / demand) of each demand there."""
    at = world.settled.copy()
    changed = np.zeros(len(world.hosts), bool)
    for m in moves:
        at[m.server] = m.target
        changed[[m.source, m.target]] = True
    asked = world.host_sum(found.now, at)
    short = np.maximum(0.0, 1.0 - world.cpus / np.maximum(asked, 1e-9))
    moved_or_touched = changed[at] | changed[world.host_of]
    vcpus = np.maximum(world.vcpus, 1e-9)
    steal = np.where(moved_or_touched, short[at] * found.now / vcpus, found.steal)
    load = np.where(moved_or_touched, found.now / vcpus / np.maximum(1 - short[at], 1e-9), found.load)
    after = world.readings.known & detect.starved(steal, load)
    stays = found.starved & ~after & (at == world.host_of)
    relieved: dict[int, tuple[int, ...]] = {}
    for h in np.flatnonzero(changed).tolist():
        relieved[h] = tuple(s for s in world.on(h).tolist() if stays[s])
    return Outlook(at, steal, after, changed, relieved, _forecast(world, found, at, steal, after, changed))


def _forecast(world: World, found: Diagnosis, at: Ints, steal: Floats, after: Bools, changed: Bools) -> Forecast:
    n = len(world.hosts)
    asked_before, asked_after = world.host_sum(found.now, world.host_of), world.host_sum(found.now, at)
    starved_before = np.bincount(world.host_of, found.starved, n)
    starved_after = np.bincount(at, after, n)
    cpus = np.maximum(world.cpus, 1e-9)
    full = world.cpus * (1 + 1e-9)
    hosts = tuple(
        HostForecast(
            world.hosts[h].name,
            round(float(asked_before[h] / cpus[h]), 4),
            round(float(asked_after[h] / cpus[h]), 4),
            int(starved_before[h]),
            int(starved_after[h]),
        )
        for h in np.flatnonzero(changed).tolist()
    )
    return Forecast(
        starved_before=int(found.starved.sum()),
        starved_after=int(after.sum()),
        steal_before=round(float((found.steal * world.vcpus).sum()), 3),
        steal_after=round(float((steal * world.vcpus).sum()), 3),
        over_before=int((asked_before > full).sum()),
        over_after=int((asked_after > full).sum()),
        hosts=hosts,
    )
