"""The policy as frozen values; every default here is the default of the YAML schema."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["projected", "published"]
WayOut = Literal["leave", "cold"]
Mode = Literal["off", "observe", "suggest", "approve", "automatic"]


@dataclass(frozen=True, slots=True)
class Window:
    """A daily span of local time, [start, end); it may cross midnight. Empty `zones` means every zone."""

    start: time
    end: time
    zones: frozenset[str] = frozenset()

    def contains(self, local: time) -> bool:
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Detect:
    """When a server is starved: steal AND load at or over both thresholds for `hold_rounds` rounds (B1)."""

    steal: float = 0.05  # 0-1 of one vCPU's time
    load_per_vcpu: float = 1.0
    hold_rounds: int = 2
    smoothing_s: float = 60.0  # time constant of the moving average of steal and load; 0 takes each reading as it is
    stale_after_s: float = 300.0
    host_over: float | None = 1.0  # also relieve a host whose demand is over this share of its threads; None: never

    def starved(self, steal: NDArray[np.float64], load_per_vcpu: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Who is over both thresholds (B1), whatever lasted how long."""
        return (steal >= self.steal) & (load_per_vcpu >= self.load_per_vcpu)


@dataclass(frozen=True, slots=True)
class Destination:
    """Which hosts may receive. Always the same zone (B2)."""

    headroom: float = 0.05  # share of the threads that stays free of (cautious) demand after the move
    caution: float = 1.0  # standard deviations of demand added to its mean when steal is projected
    memory_headroom: float = 0.0  # share of memory that stays free
    max_steal: float = 0.02  # a host whose worst server has more steal than this receives nothing
    spread_roles: bool = True  # never onto a host that has as many servers of the role as the source
    runners_up: int = 3


@dataclass(frozen=True, slots=True)
class Roles:
    """How a server's role is found: the first that answers wins. The pattern's group `role`, or its match, is it."""

    metadata_key: str = "role"
    server_group: bool = True
    name_pattern: str | None = r"^(?P<role>.+?)-?\d+$"


@dataclass(frozen=True, slots=True)
class Exclude:
    """Left alone: shell patterns on servers' names or ids and on hosts; roles and projects by name; a metadata key."""

    servers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    pin_metadata_key: str = "watari:pin"


@dataclass(frozen=True, slots=True)
class Calm:
    """What keeps a server from going to and fro."""

    cool_down_s: float = 3600.0  # after a move, a server stays put
    no_return_s: float = 86400.0  # and does not come back to a host that it left
    cycle_moves: int = 4  # after so many moves in cycle_window_s it is left alone and a finding says so
    cycle_window_s: float = 86400.0
    failed_cool_down_s: float = 900.0  # after a failed move
    no_help_cool_down_s: float = 21600.0  # after a move that was measured not to have helped


@dataclass(frozen=True, slots=True)
class Peak:
    """A daily window in which budgets shrink: `moves` at once in total (0: none starts), `bandwidth` as a share."""

    window: Window
    moves: int = 0
    bandwidth: float = 1.0


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much may go on at once. Bandwidths in MiB/s, None is no limit of ours."""

    total: int = 12
    per_host_out: int = 2
    per_host_in: int = 2
    per_zone: int = 6
    per_role: int = 2
    per_plan: int | None = None
    move_mib_s: float | None = None  # per move
    link_mib_s: float | None = 800.0  # per host link, all its moves together
    total_mib_s: float | None = None
    quiet: tuple[Window, ...] = ()  # no move starts
    peaks: tuple[Peak, ...] = ()
    stalled_after_s: float = 900.0  # no progress for this long: the move is stopped, the server stays where it is
    deadline_s: float = 14400.0  # a move that takes longer is stopped, whatever its progress


@dataclass(frozen=True, slots=True)
class Weights:
    """The objective: a destination's score is the weighted sum, the lowest wins; victims are chosen by cost alike."""

    steal: float = 10.0  # per 1.0 of projected steal
    same_role: float = 0.25  # per server of the role already there
    cpu: float = 1.0  # per 1.0 of projected (cautious) CPU demand over threads
    memory: float = 0.1  # per 1.0 of memory in use after the move
    gib: float = 0.01  # victim choice: per GiB that has to be copied


@dataclass(frozen=True, slots=True)
class LookAhead:
    """Moves before a peak: the daily shape learned from history. Needs one day of it; silent before."""

    horizon_s: float = 2700.0  # 45 min; 0 turns it off
    slot_s: float = 900.0
    over: float = 1.0  # act when the forecast demand is over this share of the threads


@dataclass(frozen=True, slots=True)
class Drain:
    """How a host is emptied: what becomes of servers that cannot move live, and which rules give way."""

    stopped: WayOut = "cold"  # servers that are off: no downtime in moving them cold
    pinned: WayOut = "leave"  # servers that run and cannot move live: cold means downtime
    wish_metadata_key: str = "watari:drain"  # a server's own wish: live, cold or leave
    largest_local_disk_gib: float | None = None  # a larger local disk stays; None: no limit
    crowd_roles: bool = True  # onto hosts with as many of the role as the source, when no other takes it
    allow_steal: bool = False  # onto hosts that are short of CPU, when no other takes it
    storage_check: tuple[str, ...] = ()  # a command that says whether a host's disks may go away; empty: no check


@dataclass(frozen=True, slots=True)
class Orchestration:
    """How servers leave Kubernetes, Consul … before they move, and come back after."""

    detach_deadline_s: float = 600.0  # not empty by then: it goes back, and does not move
    attach_deadline_s: float = 300.0  # not back by then: the operation has failed
    at_once: int = 1  # members of one orchestrator that are out of service at the same time


@dataclass(frozen=True, slots=True)
class Copying:
    """How live moves may treat their guests, where a single move can be told (plain libvirt)."""

    max_downtime_s: float = 0.5  # the pause at the end
    auto_converge: bool = True  # a guest that writes faster than is copied is slowed down
    post_copy_after_s: float | None = None  # then the rest follows after the switch; None: never


@dataclass(frozen=True, slots=True)
class Serve:
    """What `watari serve` does by itself. It is no part of what a plan was made under: the digest leaves it out."""

    every_s: float = 60.0  # from one look at the cloud to the next
    balance: Mode = "suggest"  # observe: measure and say; suggest: plans to look at; approve: once a person agrees
    history_s: float | None = 30 * 86400.0  # how long loads are kept for replays; None: not at all


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that planning and acting obey."""

    name: str = "default"
    rule: Rule = "projected"  # "published": B1/B2 as published, by steal now, without projection
    timezone: tzinfo = UTC
    expires_s: float = 1800.0
    detect: Detect = field(default_factory=Detect)
    destination: Destination = field(default_factory=Destination)
    roles: Roles = field(default_factory=Roles)
    exclude: Exclude = field(default_factory=Exclude)
    calm: Calm = field(default_factory=Calm)
    budgets: Budgets = field(default_factory=Budgets)
    weights: Weights = field(default_factory=Weights)
    look_ahead: LookAhead = field(default_factory=LookAhead)
    drain: Drain = field(default_factory=Drain)
    orchestration: Orchestration = field(default_factory=Orchestration)
    copying: Copying = field(default_factory=Copying)
    serve: Serve = field(default_factory=Serve)
    digest: str = ""

    def local(self, at: datetime) -> time:
        """The wall-clock time of `at` where the operator lives."""
        return at.astimezone(self.timezone).time()
