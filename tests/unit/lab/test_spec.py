"""A lab's description: ports, hosts, zones, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from watari.errors import BadInput
from watari.lab.spec import HostSize, LabSpec

HERE = Path("/srv/lab")


def test_every_port_follows_from_the_base_port() -> None:
    first, second = LabSpec(HERE), LabSpec(HERE, base_port=22000)
    assert first.port("keystone") == 21000
    assert len({port for _, port in first.ports()}) == len(list(first.ports()))
    assert [port + 1000 for _, port in first.ports()] == [port for _, port in second.ports()]
    assert second.url("nova-api", "/v2.1") == "http://127.0.0.1:22003/v2.1"


@pytest.mark.parametrize(
    ("computes", "zones", "expected"),
    [(6, 2, [3, 3]), (5, 2, [3, 2]), (7, 3, [3, 2, 2]), (2, 2, [1, 1]), (80, 2, [40, 40]), (1, 1, [1])],
)
def test_zones_are_contiguous_parts(computes: int, zones: int, expected: list[int]) -> None:
    spec = LabSpec(HERE, computes, zones)
    by_zone = spec.by_zone()
    assert [len(hosts) for hosts in by_zone.values()] == expected
    assert tuple(host for hosts in by_zone.values() for host in hosts) == spec.hosts
    assert list(by_zone) == [f"az{i}" for i in range(1, zones + 1)]


@pytest.mark.parametrize(
    "wrong", [{"computes": 0}, {"computes": 81}, {"zones": 7}, {"zones": 0}, {"base_port": 80}, {"base_port": 65530}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        LabSpec(HERE, **wrong)


def test_a_description_survives_its_file() -> None:
    spec = LabSpec(HERE, 4, 2, 23000, HostSize(16, 32768, 500))
    assert LabSpec.from_json(spec.to_json()) == spec
    with pytest.raises(BadInput, match="not the description of a lab"):
        LabSpec.from_json({"computes": 3})
