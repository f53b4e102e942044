"""Keep score while virtual time passes: who starved, for how long, and what could have been avoided at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.contention import Contention
from watari.policy.values import Detect

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Tally:
    """Sums over time for one way of running the cloud; times in seconds, per server where arrays.

    A server is starved at an instant when its steal AND its load are over the policy's thresholds (B1), without the
    smoothing and the hold rounds that the balancer waits for. `stolen_core_s`: CPU asked for and not given.
    """

    detect: Detect
    starved_s: Floats
    streak_s: Floats
    longest_s: Floats
    over_steal_s: float = 0.0  # server-seconds with steal over the threshold, whatever the load
    stolen_core_s: float = 0.0
    now_starved: int = 0
    now_stolen: float = 0.0

    @classmethod
    def start(cls, detect: Detect, servers: int) -> "Tally":
        return cls(detect, np.zeros(servers), np.zeros(servers), np.zeros(servers))

    def add(self, c: Contention, vcpus: Floats, seconds: float, counted: Bools | None = None) -> Bools:
        """Count an instant that lasts `seconds`; returns who is starved. `counted`: whose it is; None: everybody's."""
        steal = c.steal if counted is None else np.where(counted, c.steal, 0.0)
        over = steal >= self.detect.steal
        starved = self.detect.starved(steal, c.load_per_vcpu)
        self.starved_s += starved * seconds
        self.streak_s = np.where(starved, self.streak_s + seconds, 0.0)
        np.maximum(self.longest_s, self.streak_s, out=self.longest_s)
        self.over_steal_s += float(over.sum()) * seconds
        self.now_stolen = float((steal * vcpus).sum())
        self.stolen_core_s += self.now_stolen * seconds
        self.now_starved = int(starved.sum())
        return starved

    @property
    def starved_minutes(self) -> float:
        return float(self.starved_s.sum()) / 60

    @property
    def longest_minutes(self) -> float:
        return float(self.longest_s.max(initial=0.0)) / 60


@dataclass(slots=True)
class Score:
    """A balanced cloud and its do-nothing twin, side by side, and the CPU that no placement could have given."""

    balanced: Tally
    shadow: Tally
    zone_of_host: NDArray[np.int64]
    capacity: Floats  # per zone, cores
    unavoidable_core_s: float = 0.0

    @classmethod
    def start(cls, cloud: SimCloud, detect: Detect) -> "Score":
        hosts, n = cloud.spec.hosts, len(cloud.server_ids)
        names = {z: i for i, z in enumerate(dict.fromkeys(h.zone for h in hosts))}
        zones = np.array([names[h.zone] for h in hosts], np.int64)
        capacity: Floats = np.bincount(zones, cloud.spec.threads, len(names)).astype(np.float64)
        return cls(Tally.start(detect, n), Tally.start(detect, n), zones, capacity)

    def add(self, cloud: SimCloud, seconds: float, counted: Bools | None = None) -> None:
        """Count the present instant of both; of these servers, or of all."""
        self.balanced.add(cloud.contention, cloud.spec.vcpus, seconds, counted)
        shadow = cloud.shadow_contention()
        self.shadow.add(shadow, cloud.spec.vcpus, seconds, counted)
        # However servers are placed, a zone cannot give more than its hosts have: the fluid bound.
        asked = np.bincount(self.zone_of_host, shadow.host_demand, len(self.capacity))
        self.unavoidable_core_s += float(np.maximum(0.0, asked - self.capacity).sum()) * seconds

    @property
    def avoided(self) -> float:
        """Share (0-1) of the avoidable stolen CPU time that was avoided; 1 when there was nothing to avoid."""
        avoidable = self.shadow.stolen_core_s - self.unavoidable_core_s
        if avoidable <= 0:
            return 1.0
        return (self.shadow.stolen_core_s - self.balanced.stolen_core_s) / avoidable

    @property
    def starved_share(self) -> float:
        """Starved server-minutes as a share of those of doing nothing; 0 when there were none."""
        base = self.shadow.starved_minutes
        return self.balanced.starved_minutes / base if base else 0.0
