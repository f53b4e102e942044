"""What several meters say of the same servers, put together: one load for each with its sources, or what is lacking."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from watari.model.compute import Load, ServerId
from watari.model.reasons import Finding

Side = Literal["host", "guest"]
Quantity = Literal["steal", "load", "demand"]
Wins = Literal["larger", "first"]

Kind = tuple[str, str]  # a meter, and host, guest or estimated

QUANTITIES: Final[tuple[Quantity, ...]] = ("steal", "load", "demand")
FULL: Final = 0.9  # a vCPU that wants to run for this share of the time is asked for all the time
TOLD_LAG_S: Final = 30.0  # a value that is so much older than the others is said to be


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter knows of one server. None is not known, and never zero.

    Units as in `Load`. `side`: who counted it, the host (it knows what it did and did not give) or the guest itself.
    `estimated`: the load is no load average but derived from demand: work that queues inside the guest is not in it.
    `at`: when the oldest of the values was true.
    """

    at: datetime
    steal: float | None = None
    load_per_vcpu: float | None = None
    cpu_demand: float | None = None
    steal_side: Side = "host"
    demand_side: Side = "host"
    estimated: bool = False


def estimated_load(cpu_demand: float, vcpus: float) -> float:
    """The load per vCPU that demand tells, where no load average is known: what queues inside the guest is not seen.

    vCPUs that want to run nearly all the time have a load of 1 at least: interrupts, QEMU and the edges of what was
    counted take the rest, and a guest that is starved outright must not seem to be just below it.
    """
    load = cpu_demand / vcpus
    return max(load, 1.0) if load >= FULL else load


@dataclass(frozen=True, slots=True)
class Told:
    """What one meter said when it was asked once.

    `missing`: why something of a server, or all of it, is not in `readings`; few different sentences for many servers.
    `findings`: what a person should look at beyond that.
    """

    readings: Mapping[ServerId, Reading]
    missing: Mapping[ServerId, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose value counts. `tolerance`: steal (a share 0-1) may differ by so much; `load_tolerance`: load per vCPU.

    `stale_after_s`: older values count only where there is no younger one. `wins`: which of several steals that differ
    by more than the tolerance, of the same side: the larger, or that of the meter that is named first.
    """

    tolerance: float = 0.1
    load_tolerance: float = 1.0
    stale_after_s: float = 300.0
    wins: Wins = "larger"


class Word(NamedTuple):
    """One meter's value of one quantity. `rank`: 0 is the better kind: a host's steal and demand, a measured load."""

    meter: str
    value: float
    age_s: float
    kind: str  # host, guest, estimated
    rank: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Fresh values of one quantity of one server that are further apart than the tolerance; `taken` is one of them."""

    server: ServerId
    quantity: Quantity
    taken: Word
    others: tuple[Word, ...]

    @property
    def spread(self) -> float:
        values = [self.taken.value, *(other.value for other in self.others)]
        return max(values) - min(values)


@dataclass(frozen=True, slots=True)
class Combined:
    """`lacking`: what nobody knows of a server without a load. `stale`: servers whose load has a value that is too old.

    `used`: how many servers have a quantity from which meter, and of which kind.
    """

    loads: Mapping[ServerId, Load]
    lacking: Mapping[ServerId, tuple[Quantity, ...]]
    stale: tuple[ServerId, ...]
    disagreements: tuple[Disagreement, ...]
    used: Mapping[tuple[Quantity, str, str], int]


def combine(
    servers: Collection[ServerId], told: Sequence[tuple[str, Mapping[ServerId, Reading]]], now: datetime, rule: Rule
) -> Combined:
    """One load for each server of which steal, load and demand are known; `told` is in the order of configuration.

    Of each quantity only fresh values compete, of them only those of the better kind; see `_steal` and `_first` for
    who of those wins. Where all are stale the youngest stands, with its age: whoever plans on it sees that it is old.
    """
    loads: dict[ServerId, Load] = {}
    lacking: dict[ServerId, tuple[Quantity, ...]] = {}
    stale: list[ServerId] = []
    disagreements: list[Disagreement] = []
    used: Counter[tuple[str, str, str, str, str, str]] = Counter()
    for server in servers:
        words = _words(server, told, now)
        if missing := tuple(quantity for quantity, some in zip(QUANTITIES, words, strict=True) if not some):
            lacking[server] = missing
            continue
        steal, load, demand = (_taken(some, rule, larger=not at) for at, some in enumerate(words))
        oldest_s = max(steal.age_s, load.age_s, demand.age_s)
        loads[server] = Load(
            steal.value, load.value, demand.value, now - timedelta(seconds=oldest_s), source_text(steal, load, demand)
        )
        if oldest_s > rule.stale_after_s:
            stale.append(server)
        disagreements += _apart(server, "steal", words[0], steal, rule.tolerance, rule)
        disagreements += _apart(server, "load", words[1], load, rule.load_tolerance, rule)
        used[steal.meter, steal.kind, load.meter, load.kind, demand.meter, demand.kind] += 1
    return Combined(loads, lacking, tuple(stale), tuple(disagreements), _by_quantity(used))


def _words(
    server: ServerId, told: Sequence[tuple[str, Mapping[ServerId, Reading]]], now: datetime
) -> tuple[list[Word], list[Word], list[Word]]:
    """What is known of a server's steal, load and demand, each in the meters' order."""
    steal, load, demand = list[Word](), list[Word](), list[Word]()
    for name, readings in told:
        r = readings.get(server)
        if r is None:
            continue
        age_s = (now - r.at).total_seconds()
        if r.steal is not None:
            steal.append(Word(name, r.steal, age_s, r.steal_side, r.steal_side != "host"))
        if r.load_per_vcpu is not None:
            load.append(Word(name, r.load_per_vcpu, age_s, "estimated" if r.estimated else "guest", r.estimated))
        if r.cpu_demand is not None:
            demand.append(Word(name, r.cpu_demand, age_s, r.demand_side, r.demand_side != "host"))
    return steal, load, demand


def _by_quantity(used: Mapping[tuple[str, str, str, str, str, str], int]) -> dict[tuple[Quantity, str, str], int]:
    found: Counter[tuple[Quantity, str, str]] = Counter()
    for three, n in used.items():
        for at, quantity in enumerate(QUANTITIES):
            found[quantity, three[2 * at], three[2 * at + 1]] += n
    return found


def _taken(words: Sequence[Word], rule: Rule, *, larger: bool) -> Word:
    """The one that counts. `larger`: it is of steal."""
    if len(words) == 1:
        return words[0]
    fresh = [word for word in words if word.age_s <= rule.stale_after_s]
    if not fresh:
        return min(words, key=lambda word: word.age_s)
    rank = min(word.rank for word in fresh)
    best = [word for word in fresh if word.rank == rank]
    return _steal(best, rule) if larger and len(best) > 1 else best[0]


def _steal(words: Sequence[Word], rule: Rule) -> Word:
    """The first, unless the others are further off than the tolerance: then, by default, the larger.

    A counter that is not read, a guest that has just come, a steal clock that stands still: what goes wrong with steal
    makes it too small. Too large a value costs a move that the budgets bound, and its host receives nothing meanwhile;
    too small a one leaves a service to suffer.
    """
    first, largest = words[0], max(words, key=lambda word: word.value)
    apart = largest.value - min(word.value for word in words) > rule.tolerance
    return largest if apart and rule.wins == "larger" else first


def _apart(
    server: ServerId, quantity: Quantity, words: Sequence[Word], taken: Word, limit: float, rule: Rule
) -> tuple[Disagreement, ...]:
    """Fresh values of both kinds are compared; estimated loads are not: they are known to be too small."""
    if len(words) == 1:
        return ()
    others = tuple(
        word for word in words
        if word is not taken and word.age_s <= rule.stale_after_s and word.kind != "estimated"
    )  # fmt: skip
    if not others or taken.age_s > rule.stale_after_s or taken.kind == "estimated":
        return ()
    apart = Disagreement(server, quantity, taken, others)
    return (apart,) if apart.spread > limit else ()


def source_text(steal: Word, load: Word, demand: Word) -> str:
    """`libvirt: host steal; mackerel: guest load (40 s older)`. Demand is from where steal is unless it is named."""
    youngest_s = min(steal.age_s, load.age_s, demand.age_s)
    lags = tuple(
        round(lag_s) if (lag_s := word.age_s - youngest_s) >= TOLD_LAG_S else 0 for word in (steal, load, demand)
    )
    return _source((steal.meter, steal.kind), (load.meter, load.kind), (demand.meter, demand.kind), lags)


@lru_cache(1024)
def _source(steal: Kind, load: Kind, demand: Kind, lags_s: tuple[int, ...]) -> str:
    parts: dict[str, list[str]] = {steal[0]: [f"{steal[1]} steal"]}
    if demand != steal:
        parts.setdefault(demand[0], []).append(f"{demand[1]} demand")
    parts.setdefault(load[0], []).append("load estimated from demand" if load[1] == "estimated" else f"{load[1]} load")
    lag_s = dict(zip((steal[0], load[0], demand[0]), lags_s, strict=True))
    return "; ".join(
        f"{meter}: {', '.join(texts)}" + (f" ({lag_s[meter]} s older)" if lag_s[meter] else "")
        for meter, texts in parts.items()
    )
