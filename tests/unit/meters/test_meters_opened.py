"""The `meters:` list and `meters_rule` of clouds.yaml: what is taken, and what is refused in which words."""

import pytest

from times import SetClock
from watari.drivers.gauges import Surroundings, open_gauges, read_rule
from watari.errors import BadInput
from watari.model.readings import Rule

URL = "https://prometheus.example.org"
HOSTS, GUESTS = {"prometheus": {"url": URL, "side": "host"}}, {"prometheus": {"url": URL, "preset": "guest"}}
WHERE = "clouds.yaml: east.watari"


def opened(*rows: object) -> list[str]:
    return [gauge.name for gauge in open_gauges(list(rows), Surroundings(SetClock(), WHERE, dict))]


def test_several_in_their_order() -> None:
    libvirt, mackerel = {"libvirt": {"uri": "qemu+tls://{host}/system"}}, {"mackerel": None}
    assert opened(libvirt, mackerel, HOSTS) == ["libvirt", "mackerel", "prometheus"]


def test_two_of_a_kind_have_names() -> None:
    assert opened(HOSTS, {"name": "guests", **GUESTS}) == ["prometheus", "guests"]
    with pytest.raises(BadInput, match=r"meters\[1\]: there are two meters called prometheus; give one another `name`"):
        opened(HOSTS, GUESTS)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({"prometheus": {}}, "meters: write a list of at least one, such as - prometheus: {url: "),
        ([], "meters: write a list of at least one"),
        (["prometheus"], r"meters\[0\]: write a kind and its settings"),
        ([{}], r"meters\[0\]: write one kind of meter for each row of the list, such as prometheus"),
        ([{**HOSTS, "mackerel": {}}], r"meters\[0\]: write one kind .*, not prometheus, mackerel"),
        ([{"prometeus": {}}], r'meters\[0\]: there is no kind "prometeus" of meter; did you mean prometheus\?'),
        ([{"snmp": {}}], r'meters\[0\]: there is no kind "snmp" of meter; there are libvirt, mackerel, prometheus'),
        ([{"prometheus": [URL]}], r"meters\[0\].prometheus: write a mapping"),
        ([{"prometheus": {"url": URL, "prest": "kolla"}}], r"meters\[0\].prometheus.prest: .*did you mean preset"),
        ([{"prometheus": None}], r"meters\[0\].prometheus.url is needed"),
        ([{"name": "a b", **HOSTS}], r"meters\[0\].name: write letters, digits"),
    ],
)
def test_what_is_wrong_in_the_list_is_named(rows: object, why: str) -> None:
    with pytest.raises(BadInput, match=f"{WHERE}.{why}"):
        open_gauges(rows, Surroundings(SetClock(), WHERE, dict))


def test_the_rule_has_defaults_and_is_read() -> None:
    assert read_rule(None, WHERE) == Rule() == Rule(0.1, 1.0, 300.0, "larger")
    section = {"tolerance": 0.2, "load_tolerance": 2, "stale_after": "2m", "wins": "first"}
    assert read_rule(section, WHERE) == Rule(0.2, 2.0, 120.0, "first")


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"tolerence": 0.1}, "tolerence: there is no such key; did you mean tolerance?"),
        ({"other": 1}, "other: there is no such key; there are tolerance, load_tolerance, stale_after, wins"),
        ({"tolerance": 10}, "tolerance: input should be less than or equal to 1"),
        ({"wins": "smaller"}, "wins: input should be 'larger' or 'first'"),
        ({"stale_after": 300}, "stale_after: write a time with its unit"),
        ([], "write a mapping"),
    ],
)
def test_what_is_wrong_in_the_rule_is_named(section: object, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_rule(section, f"{WHERE}.meters_rule")
    assert str(caught.value).startswith(f"{WHERE}.meters_rule")
    assert why in str(caught.value)
