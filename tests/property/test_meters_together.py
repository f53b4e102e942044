"""Whatever several meters say: values are theirs, hosts know better, and one more meter never blinds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watari.model.compute import ServerId
from watari.model.readings import Combined, Reading, Rule, combine

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVERS = tuple(ServerId(name) for name in "abc")
shares = st.none() | st.floats(0, 1)
numbers = st.none() | st.floats(0, 50)
sides = st.sampled_from(("host", "guest"))
readings = st.builds(
    Reading, st.integers(0, 900).map(lambda age: NOW - timedelta(seconds=age)), shares, numbers, numbers, sides, sides,
    st.booleans(),
)  # fmt: skip
meters = st.lists(st.dictionaries(st.sampled_from(SERVERS), readings), min_size=1, max_size=4)
rules = st.builds(
    Rule, st.floats(0, 1), st.floats(0, 5), st.sampled_from((60.0, 300.0)), st.sampled_from(("larger", "first"))
)
Told = list[dict[ServerId, Reading]]


def put_together(told: Told, rule: Rule) -> Combined:
    named: list[tuple[str, Mapping[ServerId, Reading]]] = [(f"m{n}", one) for n, one in enumerate(told)]
    return combine(SERVERS, named, NOW, rule)


@given(meters, rules)
def test_every_value_is_some_meters_and_nobody_is_forgotten(told: Told, rule: Rule) -> None:
    made = put_together(told, rule)
    assert {*made.loads, *made.lacking} == set(SERVERS)
    assert not made.loads.keys() & made.lacking.keys()
    for server, load in made.loads.items():
        heard = [one[server] for one in told if server in one]
        assert load.steal in [r.steal for r in heard]
        assert load.load_per_vcpu in [r.load_per_vcpu for r in heard]
        assert load.cpu_demand in [r.cpu_demand for r in heard]
        assert load.at in [r.at for r in heard]
        assert load.source


@given(meters, rules)
def test_a_fresh_host_sides_steal_is_never_passed_over(told: Told, rule: Rule) -> None:
    for server, load in put_together(told, rule).loads.items():
        fresh = [
            r for one in told if (r := one.get(server)) and r.steal is not None
            and (NOW - r.at).total_seconds() <= rule.stale_after_s
        ]  # fmt: skip
        hosts = [r.steal for r in fresh if r.steal_side == "host"]
        if hosts:
            assert load.steal in hosts
            assert max(s for s in hosts if s is not None) - load.steal <= rule.tolerance or rule.wins == "first"
        elif fresh:
            assert load.steal in [r.steal for r in fresh]


@given(meters, st.dictionaries(st.sampled_from(SERVERS), readings), rules)
def test_one_more_meter_never_blinds(told: Told, more: dict[ServerId, Reading], rule: Rule) -> None:
    before, after = put_together(told, rule), put_together([*told, more], rule)
    assert before.loads.keys() <= after.loads.keys()
    assert not set(after.stale) - set(before.stale) - (after.loads.keys() - before.loads.keys())


@given(meters, rules)
def test_a_disagreement_names_fresh_values_further_apart_than_the_tolerance(told: Told, rule: Rule) -> None:
    made = put_together(told, rule)
    for apart in made.disagreements:
        limit = rule.tolerance if apart.quantity == "steal" else rule.load_tolerance
        assert apart.spread > limit
        assert all(word.age_s <= rule.stale_after_s for word in (apart.taken, *apart.others))
        load = made.loads[apart.server]
        assert apart.taken.value == (load.steal if apart.quantity == "steal" else load.load_per_vcpu)
