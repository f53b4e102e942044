"""Several meters' readings of the same servers: whose value counts, what is said, what is lacking."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from watari.model.compute import Load, ServerId
from watari.model.readings import Combined, Reading, Rule, combine

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
A, B = ServerId("a"), ServerId("b")


def by_host(steal: float | None, age_s: float = 5.0, demand: float | None = 1.0) -> Reading:
    """As a host tells it: no load average, an estimate of it."""
    load = None if demand is None else demand / 2
    return Reading(NOW - timedelta(seconds=age_s), steal, load, demand, estimated=True)


def by_guest(steal: float | None, load: float | None = 1.5, age_s: float = 40.0) -> Reading:
    return Reading(NOW - timedelta(seconds=age_s), steal, load, 1.2, "guest", "guest")


def combined(rule: Rule | None = None, **told: Reading) -> Combined:
    """Of one server; meters in the order in which they are named."""
    meters: list[tuple[str, Mapping[ServerId, Reading]]] = [(name, {A: reading}) for name, reading in told.items()]
    return combine([A], meters, NOW, rule or Rule())


def load(rule: Rule | None = None, **told: Reading) -> Load:
    return combined(rule, **told).loads[A]


def test_one_meter_alone_is_taken_as_it_is() -> None:
    found = load(libvirt=by_host(0.2))
    assert found == Load(0.2, 0.5, 1.0, NOW - timedelta(seconds=5), "libvirt: host steal, load estimated from demand")


@pytest.mark.parametrize("order", [("libvirt", "mackerel"), ("mackerel", "libvirt")])
def test_each_quantity_comes_from_who_knows_it_best_whatever_the_order(order: tuple[str, ...]) -> None:
    both = {"mackerel": by_guest(0.22), "libvirt": by_host(0.2)}
    found = combine([A], [(name, {A: both[name]}) for name in order], NOW, Rule()).loads[A]
    assert (found.steal, found.load_per_vcpu, found.cpu_demand) == (0.2, 1.5, 1.0)
    assert found.source == "libvirt: host steal; mackerel: guest load (35 s older)"
    assert found.at == NOW - timedelta(seconds=40), "the load is as old as its oldest value"


def test_within_the_tolerance_the_first_one_counts() -> None:
    assert load(one=by_host(0.10), two=by_host(0.19)).steal == 0.10
    assert load(one=by_host(0.19), two=by_host(0.10)).steal == 0.19


def test_beyond_the_tolerance_the_larger_one_counts_unless_the_rule_says_first() -> None:
    assert load(one=by_host(0.05), two=by_host(0.40)).steal == 0.40
    assert load(Rule(wins="first"), one=by_host(0.05), two=by_host(0.40)).steal == 0.05


def test_a_guest_that_says_more_than_its_host_does_not_win_but_it_is_said() -> None:
    made = combined(libvirt=by_host(0.0), mackerel=by_guest(0.5))
    assert made.loads[A].steal == 0.0
    (apart,) = made.disagreements
    assert (apart.quantity, apart.taken.meter, [w.meter for w in apart.others]) == ("steal", "libvirt", ["mackerel"])
    assert apart.spread == 0.5


def test_a_guest_whose_steal_clock_stands_still_does_not_hide_what_its_host_counts() -> None:
    assert load(mackerel=by_guest(0.0), libvirt=by_host(0.4)).steal == 0.4


def test_stale_values_do_not_compete_whatever_they_say() -> None:
    made = combined(libvirt=by_host(0.9, age_s=400), mackerel=by_guest(0.02))
    assert made.loads[A].steal == 0.02
    assert made.loads[A].source == "mackerel: guest steal, guest load"
    assert not made.disagreements
    assert not made.stale


def test_an_estimate_counts_when_what_was_measured_is_stale() -> None:
    made = combined(libvirt=by_host(0.1), mackerel=by_guest(0.1, load=9.0, age_s=301))
    assert (made.loads[A].load_per_vcpu, made.stale) == (0.5, ())


def test_when_all_are_stale_the_youngest_stands_with_its_age() -> None:
    made = combined(libvirt=by_host(0.9, age_s=900), mackerel=by_guest(0.1, age_s=600))
    assert made.loads[A].steal == 0.1
    assert made.loads[A].at == NOW - timedelta(seconds=600)
    assert made.stale == (A,)


def test_meters_that_know_a_part_each_make_a_whole() -> None:
    half, rest = by_guest(None, load=2.0), by_host(0.3)
    found = load(guests=half, hosts=rest)
    assert (found.steal, found.load_per_vcpu, found.cpu_demand) == (0.3, 2.0, 1.0)


@pytest.mark.parametrize(
    ("reading", "lacking"),
    [
        (by_guest(None), ("steal",)),
        (by_host(0.1, demand=None), ("load", "demand")),
        (Reading(NOW), ("steal", "load", "demand")),
    ],
)
def test_what_nobody_knows_is_lacking_and_never_zero(reading: Reading, lacking: tuple[str, ...]) -> None:
    made = combined(it=reading)
    assert made.loads == {}
    assert made.lacking == {A: lacking}


def test_a_server_that_no_meter_knows() -> None:
    made = combine([A, B], [("it", {A: by_host(0.1)})], NOW, Rule())
    assert set(made.loads) == {A}
    assert made.lacking == {B: ("steal", "load", "demand")}


def test_loads_that_differ_are_said_estimates_are_not_compared() -> None:
    made = combined(one=by_guest(0.1, load=1.0), two=by_guest(0.1, load=4.0))
    assert made.loads[A].load_per_vcpu == 1.0
    assert [d.quantity for d in made.disagreements] == ["load"]
    assert not combined(one=by_host(0.1), two=by_guest(0.1, load=4.0)).disagreements


def test_a_demand_from_elsewhere_is_named() -> None:
    steal_only = by_host(0.2, demand=None)
    assert (
        load(hosts=steal_only, guests=by_guest(0.2)).source
        == "hosts: host steal; guests: guest demand, guest load (35 s older)"
    )


def test_it_is_counted_whose_values_are_used() -> None:
    made = combine([A, B], [("v", {A: by_host(0.1)}), ("m", {A: by_guest(0.1), B: by_guest(0.2)})], NOW, Rule())
    assert made.used == {
        ("steal", "v", "host"): 1, ("steal", "m", "guest"): 1, ("demand", "v", "host"): 1, ("demand", "m", "guest"): 1,
        ("load", "m", "guest"): 2,
    }  # fmt: skip
