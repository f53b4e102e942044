"""What the page's chart shows of a real cloud: starvation since its controller first looked, at most a day of it."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import numpy as np

from watari.jobs.placement.world import Readings
from watari.model.compute import ComputeSnapshot
from watari.policy.values import Policy
from watari.web import contract as page

SLOT_S: Final = 300
SLOTS: Final = 288
UNMEASURED: Final = -1.0
GAP_LOOKS: Final = 3.0  # a longer gap between two looks is not counted


@dataclass(slots=True)
class _Slot:
    sum: float = 0.0
    looks: int = 0
    starved: int = 0


@dataclass(slots=True)
class Day:
    """Slots of five minutes. `stolen_core_s`: since midnight of the operator, or since the first look if later."""

    stolen_core_s: float = 0.0
    _first: datetime | None = None
    _slots: deque[_Slot] = field(default_factory=lambda: deque(maxlen=SLOTS))
    _last: tuple[datetime, float] | None = None  # look, and cores stolen then
    _zone: tzinfo = UTC

    def add(self, at: datetime, readings: Readings, snapshot: ComputeSnapshot, policy: Policy) -> None:
        """Count a look. The time since the one before, unless it is long, counts at what that has seen."""
        vcpus = np.array([snapshot.servers[id].vcpus for id in readings.ids], np.float64)
        known = readings.known
        stolen = float((readings.steal[known] * vcpus[known]).sum())
        starved = int((known & policy.detect.starved(readings.steal, readings.load)).sum())
        local = at.astimezone(policy.timezone)
        if self._last is not None:
            was = self._last[0].astimezone(policy.timezone)
            gap_s = (at - self._last[0]).total_seconds()
            if 0 <= gap_s <= GAP_LOOKS * policy.serve.every_s:  # else nobody knows what was stolen meanwhile
                self.stolen_core_s += self._last[1] * gap_s
            if local.date() != was.date():
                self.stolen_core_s = 0.0
        self._last = at, stolen
        self._zone = policy.timezone
        slot = self._slot(at.astimezone(UTC))
        slot.sum, slot.looks, slot.starved = slot.sum + stolen, slot.looks + 1, starved

    def chart(self) -> page.Chart:
        """Slots without a look are UNMEASURED. Moves are not counted here: there is no shadow to compare with."""
        nothing = [0] * len(self._slots)
        return {
            "start": "" if self._first is None else self._first.astimezone(self._zone).isoformat(),
            "step_s": SLOT_S,
            "measured": [round(s.sum / s.looks, 2) if s.looks else UNMEASURED for s in self._slots],
            "shadow": [],
            "starved": [s.starved for s in self._slots],
            "done": nothing,
            "undone": nothing,
            "failed": nothing,
            "forecast": [],
        }

    def _slot(self, at: datetime) -> _Slot:
        """The slot of a moment; those in between are empty."""
        begin = at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)
        n = -1 if self._first is None else round((begin - self._first) / timedelta(seconds=SLOT_S))
        if n < 0 or n >= len(self._slots) + SLOTS:
            self._first, n = begin, 0
            self._slots.clear()
        while len(self._slots) <= n:
            if len(self._slots) == SLOTS and self._first is not None:
                self._first, n = self._first + timedelta(seconds=SLOT_S), n - 1
            self._slots.append(_Slot())
        return self._slots[n]
