"""What several meters say of the same servers, put together: one load for each with its sources, or what is lacking."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from watari.model.compute import Load, ServerId
from watari.model.reasons import Finding

Side = Literal["host", "guest"]
Quantity = Literal["steal", "load", "demand"]
Wins = Literal["larger", "first"]

QUANTITIES: Final[tuple[Quantity, ...]] = ("steal", "load", "demand")
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


@dataclass(frozen=True, slots=True)
class Word:
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
    used: Counter[tuple[Quantity, str, str]] = Counter()
    for server in servers:
        heard = [(name, found) for name, readings in told if (found := readings.get(server)) is not None]
        words = {quantity: _words(quantity, heard, now) for quantity in QUANTITIES}
        if missing := tuple(quantity for quantity in QUANTITIES if not words[quantity]):
            lacking[server] = missing
            continue
        taken = {quantity: _taken(quantity, words[quantity], rule) for quantity in QUANTITIES}
        loads[server] = _load(taken, heard)
        if max(word.age_s for word in taken.values()) > rule.stale_after_s:
            stale.append(server)
        disagreements += _apart(server, words, taken, rule)
        used.update((quantity, word.meter, word.kind) for quantity, word in taken.items())
    return Combined(loads, lacking, tuple(stale), tuple(disagreements), used)


def _words(quantity: Quantity, heard: Sequence[tuple[str, Reading]], now: datetime) -> list[Word]:
    found = []
    for name, r in heard:
        match quantity:
            case "steal":
                value, kind = r.steal, str(r.steal_side)
            case "load":
                value, kind = r.load_per_vcpu, "estimated" if r.estimated else "guest"
            case "demand":
                value, kind = r.cpu_demand, str(r.demand_side)
        if value is not None:
            best = "guest" if quantity == "load" else "host"
            found.append(Word(name, value, (now - r.at).total_seconds(), kind, int(kind != best)))
    return found


def _taken(quantity: Quantity, words: Sequence[Word], rule: Rule) -> Word:
    if len(words) == 1:
        return words[0]
    fresh = [word for word in words if word.age_s <= rule.stale_after_s]
    if not fresh:
        return min(words, key=lambda word: word.age_s)
    rank = min(word.rank for word in fresh)
    best = [word for word in fresh if word.rank == rank]
    return _steal(best, rule) if quantity == "steal" else best[0]


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
    server: ServerId, words: Mapping[Quantity, Sequence[Word]], taken: Mapping[Quantity, Word], rule: Rule
) -> list[Disagreement]:
    """Fresh values of both kinds are compared; estimated loads are not: they are known to be too small."""
    found = []
    limits: tuple[tuple[Quantity, float], ...] = (("steal", rule.tolerance), ("load", rule.load_tolerance))
    for quantity, limit in limits:
        chosen = taken[quantity]
        others = tuple(
            word for word in words[quantity]
            if word is not chosen and word.age_s <= rule.stale_after_s and word.kind != "estimated"
        )  # fmt: skip
        if others and chosen.age_s <= rule.stale_after_s and chosen.kind != "estimated":
            apart = Disagreement(server, quantity, chosen, others)
            if apart.spread > limit:
                found.append(apart)
    return found


def _load(taken: Mapping[Quantity, Word], heard: Sequence[tuple[str, Reading]]) -> Load:
    """`at` is that of the oldest of the three values."""
    meters = {word.meter for word in taken.values()}
    at = min(reading.at for name, reading in heard if name in meters)
    steal, load, demand = (taken[quantity] for quantity in QUANTITIES)
    return Load(steal.value, load.value, demand.value, at, source_text(steal, load, demand))


def source_text(steal: Word, load: Word, demand: Word) -> str:
    """`libvirt: host steal; mackerel: guest load (40 s older)`. Demand is from where steal is unless it is named."""
    parts: dict[str, list[str]] = {steal.meter: [f"{steal.kind} steal"]}
    if (demand.meter, demand.kind) != (steal.meter, steal.kind):
        parts.setdefault(demand.meter, []).append(f"{demand.kind} demand")
    what = "load estimated from demand" if load.kind == "estimated" else f"{load.kind} load"
    parts.setdefault(load.meter, []).append(what)
    ages_s = {word.meter: word.age_s for word in (steal, load, demand)}
    youngest_s = min(ages_s.values())
    texts = []
    for meter, quantities in parts.items():
        lag_s = ages_s[meter] - youngest_s
        older = f" ({lag_s:.0f} s older)" if lag_s >= TOLD_LAG_S else ""
        texts.append(f"{meter}: {', '.join(quantities)}{older}")
    return "; ".join(texts)
