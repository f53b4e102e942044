"""One move with its real duration: set-up, disk, memory in rounds, a short stop; or cold, or a rebuild."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from watari.model.compute import Server
from watari.ports import MigrationKind

SETUP_S = 2.0  # until the first byte flows: target prepared, connection made
REBUILD_S = 5.0  # an evacuation: a Nova 34 took 10 s for two servers
DOWNTIME_S = 0.5  # the guest may be stopped for this long: libvirt's and Nova's default
DIRTY_IDLE_MIB_S = 4.0  # memory that an idle guest changes
DIRTY_MIB_S_PER_CORE = (
    40.0  # and a busy one, per core that it gets; our assumption, of the order of web and Java servers
)
WORKING_SET = 0.3  # of the memory: no round dirties more
CONVERGE_AFTER = 3  # rounds, then the guest is throttled; steps and limit are those of QEMU's auto-converge
THROTTLE_FIRST, THROTTLE_STEP, THROTTLE_LAST = 0.20, 0.10, 0.99
MAX_ROUNDS = 60
SOON_S = 1e-9  # events closer than this are one

Phase = Literal["queued", "disk", "memory", "stop", "confirm", "done", "failed", "aborted"]


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
    which it breaks (a fault), None never. `before`: the server's status when the move was asked for.

    A cold move copies the disk and then waits in phase "confirm" until somebody decides. An evacuation copies nothing.
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
    kind: MigrationKind = "live"
    before: str = "ACTIVE"
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
            self.due_s = self.started_s + (REBUILD_S if self.kind == "evacuation" else SETUP_S)

    @property
    def under_way(self) -> bool:
        """Neither over nor waiting to be confirmed."""
        return self.ended_s is None and self.phase != "confirm"

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
        if self._breaks():
            self.end(t_s, "failed", self.error or "the connection to the target broke")
            return
        self.left_mib = 0.0
        match self.phase:
            case "queued" if self.kind == "evacuation":
                self.end(t_s, "done")
            case "queued" if self.disk_mib > 0 or self.kind == "cold":
                self.phase, self.left_mib = "disk", self.disk_mib
            case "disk" if self.kind == "cold":
                self._arrive(t_s)
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

    def _breaks(self) -> bool:
        within = self.copying or self.kind == "evacuation"  # which copies nothing: it breaks at its end
        return within and self.copied_mib >= self._fails_after_mib() - 1e-6

    def _arrive(self, t_s: float) -> None:
        self.phase, self.rate_mib_s, self.due_s = "confirm", 0.0, math.inf
        self.downtime_s = t_s - self.started_s if self.before == "ACTIVE" else 0.0

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
