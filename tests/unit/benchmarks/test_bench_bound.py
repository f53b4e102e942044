"""The lower bound of moves: right by hand, and never above what brute force finds."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bound import fewest_departures, fewest_moves
from benchmarks.cluster import BenchHost, BenchServer, Cluster


def test_nothing_has_to_leave_a_host_at_its_capacity() -> None:
    assert fewest_departures([12.0, 12.0], 24) == 0
    assert fewest_departures([], 24) == 0


def test_the_largest_leave_first() -> None:
    assert fewest_departures([2.0, 10.0, 14.0], 24) == 1
    assert fewest_departures([8.0, 8.0, 8.0, 8.0, 8.0], 24) == 2
    assert fewest_departures([1.0], 0) == 1


def test_hosts_are_summed_and_empty_ones_need_nothing() -> None:
    hosts = tuple(BenchHost(f"h{i}", "az1", cpus=4) for i in range(3))
    servers = tuple(BenchServer(f"v{i}", i // 3, 2, 100.0, "web") for i in range(6))
    assert fewest_moves(Cluster(hosts, servers)) == 2


@given(st.lists(st.integers(1, 32), max_size=8), st.integers(0, 64))
def test_no_smaller_choice_of_servers_is_enough(demands: list[int], capacity: int) -> None:
    enough = next(
        size
        for size in range(len(demands) + 1)
        if any(sum(demands) - sum(gone) <= capacity for gone in combinations(demands, size))
    )
    assert fewest_departures([float(demand) for demand in demands], capacity) == enough
