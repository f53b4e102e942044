"""All moves that copy, and the links that they share."""

import math
from collections.abc import Sequence

import numpy as np

from watari.drivers.sim.contention import FloatArray
from watari.drivers.sim.links import fair_rates
from watari.drivers.sim.migration import SOON_S, Copy

SOURCE_MIB_PER_CORE_S = 800.0  # one core of the source copies this much per second, the target needs half of it
TARGET_SHARE = 0.5


class Copies:
    """All moves under way; one that waits to be confirmed is not among them.

    `link_mib_s`: per host, each way; it may be changed, `share` makes it felt.
    """

    def __init__(self, link_mib_s: FloatArray) -> None:
        self.link_mib_s = link_mib_s
        self.under_way: list[Copy] = []
        self._out_mib = np.zeros(link_mib_s.size)  # sent and received since the last `cpu_cores`
        self._in_mib = np.zeros(link_mib_s.size)
        self._charged = False

    def begin(self, copy: Copy) -> None:
        self.under_way.append(copy)

    def next_s(self) -> float:
        """When the next event is due; infinite without one."""
        return min((copy.due_s for copy in self.under_way), default=math.inf)

    def turn(self, t_s: float, got: FloatArray) -> list[Copy]:
        """Let happen what is due at `t_s`; returns the moves that copy no more. `got`: cores per server."""
        for copy in self.under_way:
            if copy.due_s <= t_s + SOON_S:
                copy.turn(t_s, float(got[copy.server]))
        return self.share(t_s)

    def share(self, t_s: float) -> list[Copy]:
        """Take out what copies no more (and return it), and share the links among the rest."""
        ended = [copy for copy in self.under_way if not copy.under_way]
        for copy in ended:
            self._charge(copy, t_s)
        self.under_way = [copy for copy in self.under_way if copy.under_way]
        running = [copy for copy in self.under_way if copy.copying]
        if running:
            pairs = [(copy.source, copy.target) for copy in running]
            caps = [math.inf if copy.cap_mib_s is None else copy.cap_mib_s for copy in running]
            links: Sequence[float] = self.link_mib_s.tolist()
            for copy, rate in zip(running, fair_rates(pairs, caps, links, links), strict=True):
                copy.settle(t_s)
                copy.run(t_s, rate)
        return ended

    def cpu_cores(self, t_s: float, span_s: float) -> FloatArray | None:
        """Cores that copying cost each host since the last call, spread over `span_s`; None without any copying.

        A core of the source copies about 800 MiB/s and the target needs half of that (one TCP stream without
        encryption; our assumption, of the order of what iperf needs).
        """
        for copy in self.under_way:
            self._charge(copy, t_s)
        if not self._charged:
            return None
        cores = (self._out_mib + TARGET_SHARE * self._in_mib) / (SOURCE_MIB_PER_CORE_S * span_s)
        self._out_mib[:] = 0.0
        self._in_mib[:] = 0.0
        self._charged = False
        return cores

    def uncharged(self) -> tuple[list[float], list[float]]:
        """MiB sent and received per host that no `cpu_cores` has seen yet: part of a saved state."""
        return self._out_mib.tolist(), self._in_mib.tolist()

    def restore(self, under_way: list[Copy], uncharged: tuple[list[float], list[float]]) -> None:
        self.under_way = under_way
        self._out_mib[:], self._in_mib[:] = uncharged
        self._charged = bool(self._out_mib.any())

    def _charge(self, copy: Copy, t_s: float) -> None:
        fresh = copy.copied_by(t_s) - copy.counted_mib
        if fresh > 0:
            copy.counted_mib += fresh
            self._out_mib[copy.source] += fresh
            self._in_mib[copy.target] += fresh
            self._charged = True
