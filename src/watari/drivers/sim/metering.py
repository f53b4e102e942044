"""The metering window: what each server's load was over the last minute, and what stale hosts still report."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np

from watari.drivers.sim.contention import Contention, FloatArray, IntArray
from watari.model.compute import Load, ServerId

SOURCE = "sim"
Rows = tuple[list[float], list[float], list[float]]  # steal, load per vCPU, cores: one entry per server


@dataclass(frozen=True, slots=True)
class _Frozen:
    """What a host's servers reported when their metrics stopped."""

    at_s: float
    loads: Mapping[int, tuple[float, float, float]]  # by the server's index


class Metering:
    """The last samples of all servers in a ring of shape (samples, 3, servers): steal, load per vCPU, cores."""

    def __init__(self, servers: tuple[ServerId, ...], start: datetime, samples: int) -> None:
        self._index = {server: k for k, server in enumerate(servers)}
        self._ids = servers
        self._start = start
        self._ring = np.zeros((samples, 3, len(servers)))
        self._taken = 0
        self._at_s = 0.0
        self._rows: Rows | None = None
        self._frozen: dict[int, _Frozen] = {}

    @property
    def at(self) -> datetime:
        """When the newest sample was taken."""
        return self._start + timedelta(seconds=self._at_s)

    def take(self, t_s: float, contention: Contention, cores: FloatArray) -> None:
        row = self._ring[self._taken % len(self._ring)]
        row[0], row[1], row[2] = contention.steal, contention.load_per_vcpu, cores
        self._taken += 1
        self._at_s = t_s
        self._rows = None

    def freeze(self, stale: set[int], host_of: IntArray) -> None:
        """From now on these hosts' servers (and no others') report what they report now."""
        self._frozen = {host: kept for host, kept in self._frozen.items() if host in stale}
        for host in sorted(stale - self._frozen.keys()):
            steal, load, cores = self._means()
            there = np.flatnonzero(host_of == host).tolist()
            self._frozen[host] = _Frozen(self._at_s, {k: (steal[k], load[k], cores[k]) for k in there})

    def read(self, servers: Collection[ServerId], quiet: Collection[int], host_of: IntArray) -> dict[ServerId, Load]:
        """Means over the window. Absent: servers that are not known, and those of `quiet` (indices)."""
        steal, load, cores = self._means()
        at, index = self.at, self._index
        if not quiet and not self._frozen and tuple(servers) == self._ids:  # everybody, as it nearly always is
            return dict(zip(self._ids, map(Load, steal, load, cores, repeat(at), repeat(SOURCE)), strict=False))
        numbers = ((server, index.get(server)) for server in servers)
        if not quiet and not self._frozen:
            return {s: Load(steal[k], load[k], cores[k], at, SOURCE) for s, k in numbers if k is not None}
        found = {}
        for server, k in numbers:
            if k is None or k in quiet:
                continue
            frozen = self._frozen.get(int(host_of[k]))
            if frozen is None:
                found[server] = Load(steal[k], load[k], cores[k], at, SOURCE)
            elif k in frozen.loads:  # one that came later has never been measured there
                found[server] = Load(*frozen.loads[k], self._start + timedelta(seconds=frozen.at_s), SOURCE)
        return found

    def to_state(self) -> dict[str, Any]:
        """For JSON: the samples of the window, oldest first, and what is frozen."""
        frozen = {
            str(host): [kept.at_s, [[self._ids[k], *loads] for k, loads in kept.loads.items()]]
            for host, kept in self._frozen.items()
        }
        return {
            "at_s": self._at_s,
            "taken": self._taken,
            "samples": self._ring[self._places()].tolist(),
            "frozen": frozen,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError when it is not a state of these servers and this window."""
        samples = np.array(state["samples"], dtype=np.float64)
        self._taken = int(state["taken"])
        places = self._places()
        if samples.shape != (len(places), *self._ring.shape[1:]):
            raise ValueError("the metering window is of other servers or of another length")
        self._ring[places] = samples  # each where it was, so that the means add up in the same order
        self._at_s = float(state["at_s"])
        self._rows = None
        self._frozen = {
            int(host): _Frozen(float(at_s), {self._index[s]: (a, b, c) for s, a, b, c in loads})
            for host, (at_s, loads) in state["frozen"].items()
        }

    def _places(self) -> list[int]:
        """Where in the ring the samples of the window are, oldest first."""
        return [k % len(self._ring) for k in range(max(0, self._taken - len(self._ring)), self._taken)]

    def _means(self) -> Rows:
        if self._rows is None:
            kept = self._ring[: min(self._taken, len(self._ring))]
            steal, load, cores = kept.mean(axis=0).tolist()
            self._rows = steal, load, cores
        return self._rows
