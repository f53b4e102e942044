"""How many cores every server asks for at any moment: a generated day, or a trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from watari.drivers.sim.contention import FloatArray
from watari.errors import BadInput

DAY_S = 86400
SLOT_S = 300
SLOTS = DAY_S // SLOT_S
PEAK_HOURS = (12.0, 15.0, 22.0)  # the hours at which the services of the 2022 account peaked, local time
KEEP_DAYS = 3
FIRST_DAY = 1_000_000  # added to the day's number: days before the start have data too, seeds must not be negative
MEMORY = 0.97  # of the noise from one slot to the next: half of it is forgotten after two hours
BURSTING = 0.2  # share of the servers that have a burst on a given day
BURST_SLOTS = (3, 13)  # how long it lasts, 15 to 60 min


class Demand(Protocol):
    def cores(self, t_s: float) -> FloatArray:
        """Cores that each server asks for `t_s` seconds after the simulation's start; shape (servers,), read only."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """A role's day as shares (0-1) of a vCPU: what always runs, and what each peak of 12, 15 and 22 h adds to it."""

    base: float
    peaks: tuple[float, float, float]
    width_h: float = 0.8  # standard deviation of a peak

    def day(self) -> FloatArray:
        """The expected share of a vCPU per slot of the day, slots + 1 values (the last is the next midnight)."""
        hour = np.arange(SLOTS + 1) * (24.0 / SLOTS)
        night = 1.0 - 0.35 * (1.0 + np.cos((hour - 4.5) * (np.pi / 12.0))) / 2.0  # least at half past four
        share = self.base * night
        for centre, height in zip(PEAK_HOURS, self.peaks, strict=True):
            away = np.abs(hour - centre)
            away = np.minimum(away, 24.0 - away)
            share += height * np.exp(-0.5 * (away / self.width_h) ** 2)
        return np.asarray(share, dtype=np.float64)


class DailyDemand:
    """A generated demand with the peaks of the 2022 account; a function of (seed, time) alone.

    `shapes` are the roles, `role_of` the role's index of each server, `level` multiplies a server's whole day (busy
    and idle ones), `noise` is the standard deviation of the logarithm of its slow noise. `start_s` is how far into its
    local day the simulation starts. Each day is drawn once, in slots of five minutes, and interpolated linearly.
    """

    def __init__(
        self,
        vcpus: FloatArray,
        shapes: Sequence[Shape],
        role_of: Sequence[int],
        level: FloatArray,
        noise: FloatArray,
        seed: int,
        start_s: float = 0.0,
    ) -> None:
        self._vcpus = vcpus
        self._roles = np.asarray(role_of, dtype=np.intp)
        self._shapes = np.stack([shape.day() for shape in shapes]) if shapes else np.zeros((0, SLOTS + 1))
        self._level = level
        self._noise = noise
        self._seed = seed
        self._start_s = start_s
        self._days: dict[int, FloatArray] = {}

    def cores(self, t_s: float) -> FloatArray:
        day, second = divmod(t_s + self._start_s, DAY_S)
        slot, into = divmod(second, SLOT_S)
        table = self._day(int(day))
        share = into / SLOT_S
        k = int(slot)
        cores: FloatArray = table[k] * (1.0 - share) + table[k + 1] * share
        return cores

    def _day(self, day: int) -> FloatArray:
        table = self._days.get(day)
        if table is None:
            table = self._draw(day)
            while len(self._days) >= KEEP_DAYS:
                del self._days[next(iter(self._days))]
            self._days[day] = table
        return table

    def _draw(self, day: int) -> FloatArray:
        """Demand in cores, (slots + 1, servers)."""
        roles = len(self._shapes)
        walk = self._walk(day, roles + self._vcpus.size)
        together = (
            0.06 * walk[:, :roles]
        )  # what a role's servers have in common: they peak together, higher on some days
        alone = self._noise * walk[:, roles:] - 0.5 * self._noise**2  # mean 1 after exp
        share = self._shapes.T[:, self._roles] * self._level * np.exp(alone + together[:, self._roles])
        cores: FloatArray = np.minimum(np.maximum(share, self._bursts(day)), 1.0) * self._vcpus
        return cores

    def _bursts(self, day: int) -> FloatArray:
        """A batch job, a re-index, a bad release: at no fixed hour a server asks for nearly all it has, for a while."""
        draw, count = np.random.default_rng([self._seed, FIRST_DAY + day, 2]), self._vcpus.size
        bursts = np.zeros((SLOTS + 1, count))
        for server in np.flatnonzero(draw.random(count) < BURSTING).tolist():
            first, slots = int(draw.integers(1, SLOTS - BURST_SLOTS[1])), int(draw.integers(*BURST_SLOTS))
            bursts[first : first + slots, server] = draw.uniform(0.85, 1.0)
        return bursts

    def _walk(self, day: int, columns: int) -> FloatArray:
        """Slow noise of unit variance, (slots + 1, columns): an AR(1) path tied to what its midnights share."""
        draws = np.random.default_rng([self._seed, FIRST_DAY + day, 1]).standard_normal((SLOTS + 1, columns))
        step = np.sqrt(1.0 - MEMORY**2)
        path = draws
        for k in range(1, SLOTS + 1):
            path[k] = MEMORY * path[k - 1] + step * draws[k]
        forgotten = MEMORY ** np.arange(SLOTS + 1)[:, None]
        first, last = self._midnight(day, columns), self._midnight(day + 1, columns)
        ends = forgotten * (first - path[0]) + forgotten[::-1] * (last - path[-1])
        path += ends
        path[0], path[-1] = first, last
        return path

    def _midnight(self, day: int, columns: int) -> FloatArray:
        return np.random.default_rng([self._seed, FIRST_DAY + day, 0]).standard_normal(columns)


class TraceDemand:
    """Demand that follows a trace: server i asks for min(1, scale x fraction) of its vCPUs, from series i mod series.

    A sample holds for its whole interval; before the first and after the last sample the nearest one holds.
    `fractions`: 0-1, (series, samples). Raises BadInput for an empty trace or a scale that is not over 0.
    """

    def __init__(self, fractions: FloatArray, interval_s: float, vcpus: FloatArray, scale: float = 1.0) -> None:
        if fractions.ndim != 2 or not fractions.size:
            raise BadInput("the trace is empty: it needs at least one series of one sample")
        if not (np.isfinite(interval_s) and interval_s > 0):
            raise BadInput(f"the trace's interval is {interval_s} s; it must be over 0")
        if not (np.isfinite(scale) and scale > 0):
            raise BadInput(f"the trace's scale is {scale}; it must be over 0, 1 leaves the trace as it is")
        self._samples = np.ascontiguousarray(np.minimum(1.0, scale * fractions).T)
        self._series = np.arange(vcpus.size) % fractions.shape[0]
        self._vcpus = vcpus
        self._interval_s = interval_s
        self._held = -1
        self._cores = np.zeros(vcpus.size)

    @property
    def seconds(self) -> float:
        """How long the trace is."""
        return float(self._samples.shape[0] * self._interval_s)

    def cores(self, t_s: float) -> FloatArray:
        sample = min(max(int(t_s // self._interval_s), 0), self._samples.shape[0] - 1)
        if sample != self._held:
            self._cores = self._samples[sample][self._series] * self._vcpus
            self._cores.setflags(write=False)
            self._held = sample
        return self._cores
