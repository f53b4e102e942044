"""Live migrations with real durations: set-up, disk, memory in rounds, a short stop, all over shared links."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from watari.drivers.sim.contention import FloatArray
from watari.drivers.sim.links import fair_rates
from watari.model.compute import Server

SETUP_S = 2.0  # until the first byte flows: target prepared, connection made
DOWNTIME_S = 0.5  # the guest may be stopped for this long: libvirt's and Nova's default
DIRTY_IDLE_MIB_S = 4.0  # memory that an idle guest changes
DIRTY_MIB_S_PER_CORE = (
    40.0  # and a busy one, per core that it gets; our assumption, of the order of web and Java servers
)
WORKING_SET = 0.3  # of the memory: no round dirties more
CONVERGE_AFTER = 3  # rounds, then the guest is throttled; steps and limit are those of QEMU's auto-converge
THROTTLE_FIRST, THROTTLE_STEP, THROTTLE_LAST = 0.20, 0.10, 0.99
MAX_ROUNDS = 60
SOURCE_MIB_PER_CORE_S = 800.0  # one core of the source copies this much per second, the target needs half of it
TARGET_SHARE = 0.5
SOON_S = 1e-9  # events closer than this are one

Phase = Literal["queued", "disk", "memory", "stop", "done", "failed", "aborted"]


def dirty_mib_s(cores: float) -> float:
    """Memory that a guest changes per second while it runs on `cores`."""
    return DIRTY_IDLE_MIB_S + DIRTY_MIB_S_PER_CORE * cores


def estimate_s(server: Server, rate_mib_s: float, cores: float) -> float:
    """Seconds that a move takes at a steady rate; infinite when its memory would never be through."""
    if rate_mib_s <= 0:
        return math.inf
    copy = Copy("", 0, 0, 0, server.local_disk_gib * 1024.0, float(server.memory_mib), None, 0.0)
    now_s = 0.0
    while copy.under_way:
        now_s = copy.due_s
        copy.turn(now_s, cores)
        copy.run(now_s, rate_mib_s if copy.copying else 0.0)
    return now_s if copy.phase == "done" else math.inf


@dataclass(slots=True)
class Copy:
    """One move. Between two events it is a straight line: `left_mib` and `copied_mib` as of `anchor_s`, and a rate.

    Nothing changes between events, so how finely time is advanced cannot change a digit. `server`, `source` and
    `target` are indices. `cap_mib_s` None: only the links limit it. `fails_at`: share (0-1) of disk and memory after
    which it breaks (a fault), None never.
    """

    id: str
    server: int
    source: int
    target: int
    disk_mib: float
    memory_mib: float
    cap_mib_s: float | None
    started_s: float
    fails_at: float | None = None
    error: str = ""
    phase: Phase = "queued"
    left_mib: float = 0.0
    copied_mib: float = 0.0
    counted_mib: float = 0.0  # of those, already charged to the hosts' CPUs
    rate_mib_s: float = 0.0
    anchor_s: float = 0.0
    due_s: float = 0.0
    round: int = 0
    round_mib: float = 0.0
    round_s: float = 0.0  # when the round began
    throttle: float = 0.0
    ended_s: float | None = None
    downtime_s: float = 0.0

    def __post_init__(self) -> None:
        if self.phase == "queued" and not self.due_s:
            self.anchor_s = self.started_s
            self.due_s = self.started_s + SETUP_S

    @property
    def under_way(self) -> bool:
        return self.ended_s is None

    @property
    def copying(self) -> bool:
        return self.phase in ("disk", "memory", "stop")

    @property
    def total_mib(self) -> float:
        """What it will have copied at least: grows with every round."""
        ahead = {"queued": self.disk_mib + self.memory_mib, "disk": self.left_mib + self.memory_mib}
        return self.copied_mib + ahead.get(self.phase, self.left_mib if self.copying else 0.0)

    def copied_by(self, t_s: float) -> float:
        """MiB copied until `t_s`, not before the last event."""
        return self.copied_mib + min(self.left_mib, self.rate_mib_s * max(0.0, t_s - self.anchor_s))

    def settle(self, t_s: float) -> None:
        """Move the anchor to `t_s`."""
        copied = self.copied_by(t_s)
        self.left_mib -= copied - self.copied_mib
        self.copied_mib = copied
        self.anchor_s = t_s

    def run(self, t_s: float, rate_mib_s: float) -> None:
        """Go on at this rate from `t_s`, where it was settled, and know when the next event comes."""
        self.rate_mib_s = rate_mib_s
        if not self.copying:
            return
        until = min(self.left_mib, self._fails_after_mib() - self.copied_mib)
        if until <= 0:
            self.due_s = t_s
        else:
            self.due_s = t_s + until / rate_mib_s if rate_mib_s > 0 else math.inf

    def turn(self, t_s: float, cores: float) -> None:
        """The event that was due: go into the next phase or round, or end. `cores`: what the guest gets now."""
        self.settle(t_s)
        if self.copying and self.copied_mib >= self._fails_after_mib() - 1e-6:
            self.end(t_s, "failed", self.error or "the connection to the target broke")
            return
        self.left_mib = 0.0
        match self.phase:
            case "queued" if self.disk_mib > 0:
                self.phase, self.left_mib = "disk", self.disk_mib
            case "queued" | "disk":
                self.phase = "memory"
                self._round(t_s, self.memory_mib)
            case "memory":
                self._memory_through(t_s, cores)
            case "stop":
                self.downtime_s = t_s - self.round_s
                self.end(t_s, "done")

    def end(self, t_s: float, phase: Literal["done", "failed", "aborted"], error: str = "") -> None:
        self.settle(t_s)
        self.phase, self.error, self.ended_s = phase, error, t_s
        self.rate_mib_s = 0.0
        self.due_s = math.inf

    def to_state(self) -> dict[str, Any]:
        """For JSON, which knows no infinity: a move that nothing is due for has None there."""
        return asdict(self) | {"due_s": None if math.isinf(self.due_s) else self.due_s}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Copy":
        """Raises KeyError or TypeError when it is not the state of a move."""
        return cls(**(state | {"due_s": math.inf if state["due_s"] is None else state["due_s"]}))

    def _fails_after_mib(self) -> float:
        return math.inf if self.fails_at is None else self.fails_at * (self.disk_mib + self.memory_mib)

    def _round(self, t_s: float, mib: float) -> None:
        self.round += 1
        self.left_mib = self.round_mib = mib
        self.round_s = t_s

    def _memory_through(self, t_s: float, cores: float) -> None:
        """A round is over: what was dirtied meanwhile is the next, or the last if it fits the downtime."""
        took_s = t_s - self.round_s
        if self.round >= CONVERGE_AFTER:
            step = THROTTLE_FIRST if not self.throttle else self.throttle + THROTTLE_STEP
            self.throttle = min(step, THROTTLE_LAST)
        dirtied = min(dirty_mib_s(cores) * (1.0 - self.throttle) * took_s, WORKING_SET * self.memory_mib)
        rate = self.round_mib / took_s if took_s > 0 else math.inf
        if self.round >= MAX_ROUNDS:
            self.end(t_s, "failed", "the guest changed its memory faster than it could be copied")
            return
        if dirtied <= rate * DOWNTIME_S:
            self.phase = "stop"
        self._round(t_s, dirtied)


class Copies:
    """All moves under way, and the links that they share.

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
        """Let happen what is due at `t_s`; returns the moves that ended. `got`: cores per server."""
        for copy in self.under_way:
            if copy.due_s <= t_s + SOON_S:
                copy.turn(t_s, float(got[copy.server]))
        return self.share(t_s)

    def share(self, t_s: float) -> list[Copy]:
        """Take out what ended (and return it), and share the links among the rest."""
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
