"""CPU counters of all servers, integrated from their demand and their hosts' contention."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from watari.drivers.sim.contention import contend
from watari.lab.spec import HostSize

RUNNING = 1  # nova.compute.power_state
IDLE_SHARE = 0.1  # of a server's vCPUs, when nobody said what it asks for
DEMAND_KEY = "lab:cores"
FORGET_S = 900.0  # a server that is nowhere for so long was deleted
LONGEST_STEP_S = 60.0  # a longer gap is time in which the lab was not up


@dataclass(frozen=True, slots=True)
class Guest:
    """A server as its host's virt driver describes it. `since`: Unix time at which it came to this host."""

    id: str
    host: str
    domain: str
    name: str
    project: str
    flavor: str
    vcpus: int
    metadata: Mapping[str, str]
    since: float
    power: int

    @classmethod
    def from_json(cls, id: str, host: str, value: Mapping[str, Any]) -> Self:
        names = ("domain", "name", "project", "flavor", "vcpus", "metadata", "since", "power")
        return cls(id, host, **{name: value[name] for name in names})

    @property
    def runs(self) -> bool:
        return self.power == RUNNING

    def cores(self, demand: Mapping[str, float]) -> float:
        """What it asks for, at most its vCPUs: the override, else its metadata, else a little."""
        wish = demand.get(self.id, self.metadata.get(DEMAND_KEY))
        try:
            cores = self.vcpus * IDLE_SHARE if wish is None else float(wish)
        except ValueError:
            cores = self.vcpus * IDLE_SHARE
        return min(max(cores, 0.0), float(self.vcpus))


@dataclass(slots=True)
class Counters:
    """Seconds of one vCPU of a server (its vCPUs are alike), and the load at this moment.

    `delay_s`: it wanted to run and was not run; `run_s`: it ran; `idle_s`: it wanted nothing. `load`: runnable tasks
    of the whole guest. `seen`: Unix time at which the server was last anywhere.
    """

    delay_s: float = 0.0
    run_s: float = 0.0
    idle_s: float = 0.0
    load: float = 0.0
    seen: float = 0.0


@dataclass(slots=True)
class Book:
    """All counters. They belong to the server, not to its host: a migration neither resets them nor makes them jump."""

    at: float = 0.0
    of: dict[str, Counters] = field(default_factory=dict)

    def advance(
        self, now: float, guests: Collection[Guest], demand: Mapping[str, float], host_size: HostSize
    ) -> dict[str, Guest]:
        """Let the time since the last call pass at the present demand; returns the servers by id, each once.

        A server on two hosts (its evacuation is not cleaned up yet) is where it came to last.
        """
        placed = where_they_are(guests)
        step = min(max(now - self.at, 0.0), LONGEST_STEP_S) if self.at else 0.0
        self.at = now
        running = [guest for guest in placed.values() if guest.runs]
        if running:
            self._run(running, demand, host_size, step)
        for id in placed:
            self.of.setdefault(id, Counters()).seen = now
        self.of = {id: c for id, c in self.of.items() if now - c.seen < FORGET_S}
        return placed

    def _run(self, running: list[Guest], demand: Mapping[str, float], host_size: HostSize, step: float) -> None:
        hosts = sorted({guest.host for guest in running})
        index = {host: i for i, host in enumerate(hosts)}
        vcpus = np.array([float(guest.vcpus) for guest in running])
        shared = contend(
            np.array([guest.cores(demand) for guest in running]),
            vcpus,
            np.array([index[guest.host] for guest in running], dtype=np.intp),
            np.full(len(hosts), float(host_size.threads)),
            np.zeros(len(hosts)),
        )
        got = shared.got / vcpus
        for i, guest in enumerate(running):
            counters = self.of.setdefault(guest.id, Counters())
            counters.delay_s += float(shared.steal[i]) * step
            counters.run_s += float(got[i]) * step
            counters.idle_s += max(0.0, 1.0 - float(got[i]) - float(shared.steal[i])) * step
            counters.load = float(shared.load_per_vcpu[i] * vcpus[i])

    def to_json(self) -> dict[str, Any]:
        return {"at": self.at, "of": {id: asdict(counters) for id, counters in self.of.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(value["at"], {id: Counters(**counters) for id, counters in value["of"].items()})


def where_they_are(guests: Collection[Guest]) -> dict[str, Guest]:
    placed: dict[str, Guest] = {}
    for guest in sorted(guests, key=lambda g: (g.since, g.host)):
        placed[guest.id] = guest
    return placed
