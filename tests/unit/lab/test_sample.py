"""The sample servers: overload where it should be, and room for it."""

from collections import Counter, defaultdict
from itertools import permutations
from pathlib import Path

import pytest

from watari.lab.sample import FLAVORS, GROUP, MOST_SERVERS, Sample, sample_servers
from watari.lab.spec import CPU_RATIO, LabSpec

SIX = LabSpec(Path("/srv/lab"))
FLAVOR = {flavor.name: flavor for flavor in FLAVORS}


def demand(samples: tuple[Sample, ...]) -> dict[str, float]:
    cores: dict[str, float] = defaultdict(float)
    for sample in samples:
        cores[sample.host] += sample.cores
    return cores


def test_one_host_per_zone_is_overloaded_and_its_zone_has_room() -> None:
    cores = demand(sample_servers(SIX))
    hot = {host for host, wanted in cores.items() if wanted > SIX.host.threads}
    assert {SIX.zone_of(host) for host in hot} == {"az1", "az2"}
    assert len(hot) == 2
    for host in hot:
        assert 1.3 <= cores[host] / SIX.host.threads <= 1.5
    for hosts in SIX.by_zone().values():
        assert sum(cores[host] for host in hosts) < 0.8 * SIX.host.threads * len(hosts)


def test_servers_on_the_hot_hosts_are_starved() -> None:
    samples = sample_servers(SIX)
    cores = demand(samples)
    for sample in samples:
        if cores[sample.host] > SIX.host.threads:
            served = SIX.host.threads / cores[sample.host]
            busy = sample.cores / FLAVOR[sample.flavor].vcpus
            assert (1 - served) * busy >= 0.10
            assert busy / served >= 1.0


def test_every_host_can_be_emptied_within_its_zone() -> None:
    samples = sample_servers(SIX)
    cores = demand(samples)
    for hosts in SIX.by_zone().values():
        for emptied in hosts:
            leaving = [sample for sample in samples if sample.host == emptied]
            assert any(_fits(order, [h for h in hosts if h != emptied], cores) for order in permutations(leaving))


def _fits(order: tuple[Sample, ...], hosts: list[str], cores: dict[str, float]) -> bool:
    """Whether servers, one after the other, fit on the host with the most room."""
    room = {host: 0.95 * SIX.host.threads - cores[host] for host in hosts}
    for sample in order:
        best = max(room, key=lambda host: room[host])
        room[best] -= sample.cores
        if room[best] < 0:
            return False
    return True


@pytest.mark.parametrize(("computes", "zones"), [(1, 1), (2, 1), (2, 2), (3, 1), (6, 2), (9, 3), (80, 2), (80, 9)])
def test_any_lab_gets_servers_that_fit(computes: int, zones: int) -> None:
    spec = LabSpec(Path("/srv/lab"), computes, zones)
    samples = sample_servers(spec)
    assert 0 < len(samples) <= MOST_SERVERS
    assert len({sample.name for sample in samples}) == len(samples)
    vcpus: Counter[str] = Counter()
    for sample in samples:
        vcpus[sample.host] += FLAVOR[sample.flavor].vcpus
        assert sample.zone == spec.zone_of(sample.host)
    assert max(vcpus.values()) <= CPU_RATIO * spec.host.threads


def test_the_anti_affinity_group_has_two_members_on_two_hosts() -> None:
    members = [sample for sample in sample_servers(SIX) if sample.grouped]
    assert {sample.role for sample in members} == {GROUP}
    assert len(members) == len({sample.host for sample in members}) == 2
