"""The slot that is being seen: looks at a cloud, added up."""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

import numpy as np

from watari.app.history.codes import Floats, encode
from watari.app.history.items import Items, Numbered
from watari.app.history.slots import LOAD, MOST, SHARE, SHARE_PEAK, STEAL, STEAL_PEAK, Ints, Slot
from watari.jobs.placement.world import Readings
from watari.model.compute import ComputeSnapshot, ServerId

_VCPUS: Final = attrgetter("vcpus")


@dataclass(slots=True)
class Gathering:
    """Sums over the looks of one slot. Arrays follow `ids`: everybody who was seen in it, whether still there or not.

    `sums` and `most` have a row each for steal, load per vCPU and cores asked for; `known` counts the looks in which a
    server had a load.
    """

    begin: int
    looks: int = 0
    ids: tuple[ServerId, ...] = ()
    sums: Floats = field(default_factory=lambda: np.zeros((3, 0)))
    most: Floats = field(default_factory=lambda: np.zeros((3, 0)))
    known: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    snapshot: ComputeSnapshot | None = None

    def add(self, snapshot: ComputeSnapshot, readings: Readings) -> None:
        """One look. O(servers), on arrays."""
        if readings.ids != self.ids:
            self._make_room(readings.ids)
        at = slice(None) if readings.ids == self.ids else self._where(readings.ids)
        seen = np.stack((readings.steal, readings.load, readings.demand))
        self.sums[:, at] += np.where(readings.known, seen, 0.0)
        self.most[:, at] = np.maximum(self.most[:, at], np.where(readings.known, seen, 0.0))
        self.known[at] += readings.known
        self.looks, self.snapshot = self.looks + 1, snapshot

    def closed(self, items: Items, keys: frozenset[str]) -> Slot:
        """The slot: means of what was known, and everybody who was there at the end. There was at least one look."""
        assert self.snapshot is not None
        numbered = items.number(self.snapshot, keys)
        at = slice(None) if numbered.ids == self.ids else self._where(numbered.ids)
        vcpus = _vcpus(self.snapshot, numbered)
        known = self.known[at]
        means = np.where(known > 0, self.sums[:, at] / np.maximum(known, 1), np.nan)
        most = np.where(known > 0, self.most[:, at], np.nan)
        codes = np.empty((len(MOST), len(vcpus)), np.uint8)
        columns = {
            STEAL: means[0], STEAL_PEAK: most[0], LOAD: means[1], SHARE: means[2] / vcpus, SHARE_PEAK: most[2] / vcpus,
        }  # fmt: skip
        for row, values in columns.items():
            codes[row] = encode(values, MOST[row])
        return Slot(self.begin, self.looks, numbered.hosts, numbered.groups, numbered.servers, numbered.place, codes)

    def _make_room(self, ids: tuple[ServerId, ...]) -> None:
        everybody = tuple(dict.fromkeys((*self.ids, *ids)))
        more = len(everybody) - len(self.ids)
        self.sums = np.pad(self.sums, ((0, 0), (0, more)))
        self.most = np.pad(self.most, ((0, 0), (0, more)))
        self.known = np.pad(self.known, (0, more))
        self.ids = everybody

    def _where(self, ids: tuple[ServerId, ...]) -> Ints:
        index = dict(zip(self.ids, range(len(self.ids)), strict=True))
        return np.fromiter(map(index.__getitem__, ids), np.int64, len(ids))


def _vcpus(snapshot: ComputeSnapshot, numbered: Numbered) -> Floats:
    servers = map(snapshot.servers.__getitem__, numbered.ids)
    return np.maximum(1.0, np.fromiter(map(_VCPUS, servers), np.float64, len(numbered.ids)))
