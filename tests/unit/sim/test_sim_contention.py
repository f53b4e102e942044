"""Fluid proportional share keeps its books."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.drivers.sim.contention import contend


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 40))
def test_what_is_got_adds_up_to_capacity_or_demand(seed: int, hosts: int, servers: int) -> None:
    draw = np.random.default_rng(seed)
    vcpus = draw.integers(1, 17, servers).astype(np.float64)
    cores = vcpus * draw.random(servers)
    host_of = draw.integers(0, hosts, servers).astype(np.intp)
    capacity, extra = draw.uniform(1, 48, hosts), draw.uniform(0, 3, hosts)
    result = contend(cores, vcpus, host_of, capacity, extra)
    served = np.bincount(host_of, weights=result.got, minlength=hosts) + extra * (1 - result.sigma)
    demand = np.bincount(host_of, weights=cores, minlength=hosts) + extra
    assert served == pytest.approx(np.minimum(capacity, demand))
    assert result.host_demand == pytest.approx(demand)
    assert ((result.steal >= 0) & (result.steal <= 1)).all()
    assert result.steal * vcpus == pytest.approx(cores - result.got)


def test_a_host_with_room_steals_nothing() -> None:
    result = contend(np.array([2.0, 4.0]), np.array([4.0, 4.0]), np.array([0, 0]), np.array([24.0]), np.zeros(1))
    assert result.steal.tolist() == [0.0, 0.0]
    assert result.load_per_vcpu.tolist() == [0.5, 1.0]


def test_ten_seconds_asked_and_eight_given_are_two_of_steal() -> None:
    """The account's own example of steal, on a host that is asked for a quarter more than it has."""
    result = contend(np.full(30, 1.0), np.full(30, 1.0), np.zeros(30, dtype=np.intp), np.array([24.0]), np.zeros(1))
    assert result.steal == pytest.approx(np.full(30, 0.2))
    assert result.load_per_vcpu == pytest.approx(np.full(30, 1.25))


def test_what_the_host_itself_needs_is_taken_from_the_servers() -> None:
    args = np.full(24, 1.0), np.full(24, 1.0), np.zeros(24, dtype=np.intp), np.array([24.0])
    assert contend(*args, np.zeros(1)).steal.max() == 0
    assert contend(*args, np.array([1.0])).steal == pytest.approx(np.full(24, 1 / 25))
