"""The neutral judge: every count on clusters small enough to check by hand."""

import pytest

from benchmarks.cluster import BenchHost, BenchServer, Cluster
from benchmarks.score import score

HOSTS = (
    BenchHost("h0", "az1", cpus=4, memory_mib=16384),
    BenchHost("h1", "az2", cpus=4, memory_mib=16384),
    BenchHost("h2", "az1", cpus=4, memory_mib=16384),
)


def server(name: str, host: int, load_percent: float = 100.0, role: str = "web", vcpus: int = 2) -> BenchServer:
    return BenchServer(name, host, vcpus, load_percent, role)


FULL = Cluster(HOSTS, (server("a", 0), server("b", 0), server("c", 0, role="db"), server("d", 1)))


def test_a_cluster_as_it_is_has_no_cost_and_no_violation() -> None:
    found = score(FULL)
    assert (found.hosts_over, found.starved, found.moves, found.moved_gib) == (1, 3, 0, 0.0)
    assert (found.zone_violations, found.role_violations, found.memory_over) == (0, 0, 1)
    assert found.fullest_host == pytest.approx(1.5)


def test_a_move_within_the_zone_relieves_at_the_cost_of_its_memory() -> None:
    found = score(FULL, [2, 0, 0, 1])
    assert (found.hosts_over, found.starved, found.moves, found.moved_gib) == (0, 0, 1, 8.0)
    assert (found.zone_violations, found.role_violations, found.memory_over) == (0, 0, 0)


def test_a_move_to_another_zone_is_a_violation() -> None:
    assert score(FULL, [0, 0, 1, 1]).zone_violations == 1
    assert score(FULL, [0, 0, 2, 1]).zone_violations == 0


def test_starved_begins_above_five_percent_of_steal() -> None:
    at_capacity = Cluster(HOSTS, (server("a", 0), server("b", 0)))
    slightly_over = Cluster(HOSTS, (server("a", 0), server("b", 0), server("c", 0, load_percent=10.0)))
    clearly_over = Cluster(HOSTS, (server("a", 0), server("b", 0), server("c", 0, load_percent=11.0)))
    assert (score(at_capacity).hosts_over, score(at_capacity).starved) == (0, 0)
    assert (score(slightly_over).hosts_over, score(slightly_over).starved) == (1, 0)  # steal 1 - 4 / 4.2 = 4.8 %
    assert (score(clearly_over).hosts_over, score(clearly_over).starved) == (1, 3)  # 1 - 4 / 4.22 = 5.2 %


def test_a_role_that_gathers_on_a_host_is_less_spread() -> None:
    apart = Cluster(HOSTS, (server("a", 0), server("b", 2), server("c", 1, role="db")))
    assert score(apart, [2, 2, 1]).role_violations == 1
    assert score(apart, [2, 0, 1]).role_violations == 0  # they changed places


def test_a_role_on_fewer_hosts_is_less_spread_though_its_fullest_host_is_no_fuller() -> None:
    hosts = tuple(BenchHost(f"h{i}", "az1") for i in range(4))
    before = Cluster(hosts, tuple(server(f"v{i}", host) for i, host in enumerate((0, 0, 1, 2))))
    assert score(before, [0, 0, 1, 1]).role_violations == 1
    assert score(before, [0, 3, 1, 2]).role_violations == 0


@pytest.mark.parametrize("placement", [[0], [0, 0, 0, 3], [0, 0, 0, -1]])
def test_a_placement_of_another_cluster_is_an_error(placement: list[int]) -> None:
    with pytest.raises(ValueError, match="one of 3 hosts for each of 4 servers"):
        score(FULL, placement)


def test_an_empty_cluster_scores_nothing() -> None:
    assert score(Cluster(HOSTS, ())).starved == 0
