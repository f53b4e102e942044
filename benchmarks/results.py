"""What a benchmark run found out, and whether Watari kept the limits that it set itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.score import Score

MOVES_OVER_BOUND = 1.10  # at most so many times the fewest moves that any plan needs
GIB_UNDER_WATCHER = 5.0  # at least so many times less memory moved than Watcher
CPU_LIMITS_S = {(100, 1_000): 0.02, (1_000, 10_000): 0.15, (10_000, 100_000): 2.0}  # by hosts and servers
MEMORY_LIMITS_MB = {(10_000, 100_000): 1500.0}

WATARI = "Watari"
WATCHER = "Watcher"  # one audit over the whole cloud: it knows of no zones
WATCHER_ZONES = "Watcher by zone"  # one audit per zone
HBAL_ZONES = "hbal by zone"  # zones as migration tags
HBAL = "hbal"  # one pool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One contender on one cluster. `cpu_s`: CPU seconds of planning; for Watari the median of its runs."""

    contender: str
    cpu_s: float
    after: Score
    metric_queries: int | None = None
    peak_mb: float | None = None
    note: str = ""


@dataclass(slots=True)
class Round:
    """One cluster and what the contenders made of it, in the order in which they ran."""

    hosts: int
    servers: int
    seed: int
    bound: int  # the fewest moves that any plan needs
    before: Score
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, contender: str) -> Outcome | None:
        return next((o for o in self.outcomes if o.contender == contender), None)


@dataclass(slots=True)
class Results:
    """A whole run; it grows while the run goes on, so that an interrupted one can be shown."""

    loads: str
    synthetic: bool
    machine: str
    seeds: list[Round] = field(default_factory=list)
    scale: list[Round] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit on one cluster, and whether Watari kept it."""

    where: str
    limit: str
    value: str
    met: bool


def verdicts(results: Results) -> Iterator[Verdict]:
    """Every limit that applies to what was run."""
    for round in (*results.seeds, *results.scale):
        if watari := round.of(WATARI):
            where = f"{round.hosts:,}/{round.servers:,} seed {round.seed}"
            yield from _speed(where, (round.hosts, round.servers), watari)
            if round in results.seeds:
                yield from _quality(where, round, watari.after)


def ratio(dividend: float, divisor: float) -> float:
    """How many times `divisor` goes into `dividend`; infinite when there is nothing to divide by."""
    if divisor:
        return dividend / divisor
    return float("inf") if dividend else 1.0


def _speed(where: str, size: tuple[int, int], watari: Outcome) -> Iterator[Verdict]:
    if limit_s := CPU_LIMITS_S.get(size):
        yield Verdict(where, f"CPU <= {limit_s:g} s", f"{watari.cpu_s:.4f} s", watari.cpu_s <= limit_s)
    limit_mb = MEMORY_LIMITS_MB.get(size)
    if limit_mb and watari.peak_mb is not None:
        yield Verdict(
            where, f"peak memory <= {limit_mb:,.0f} MB", f"{watari.peak_mb:,.0f} MB", watari.peak_mb <= limit_mb
        )


def _quality(where: str, round: Round, after: Score) -> Iterator[Verdict]:
    left = after.starved + after.hosts_over
    yield Verdict(where, "none starved, no host over", f"{after.starved} starved, {after.hosts_over} over", left == 0)
    broken = after.zone_violations + after.role_violations + after.memory_over
    yield Verdict(
        where,
        "zones, roles and memory kept",
        f"{after.zone_violations} zone, {after.role_violations} role, {after.memory_over} memory",
        broken == 0,
    )
    times = ratio(after.moves, round.bound)
    yield Verdict(where, f"moves <= {MOVES_OVER_BOUND:.2f} x the fewest", f"{times:.2f} x", times <= MOVES_OVER_BOUND)
    if watcher := round.of(WATCHER):
        less = ratio(watcher.after.moved_gib, after.moved_gib)
        limit = f"GiB >= {GIB_UNDER_WATCHER:g} x less than Watcher"
        yield Verdict(where, limit, f"{less:.1f} x", less >= GIB_UNDER_WATCHER)
