"""Demand is a function of seed and time, with the peaks of the account."""

import numpy as np
import pytest

from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.demand import DAY_S, TraceDemand
from watari.errors import BadInput

SPEC = account_cloud(hosts=12, servers=150, seed=3)


def test_it_does_not_matter_what_was_asked_before() -> None:
    asked_much, asked_once = demand_for(SPEC, 3), demand_for(SPEC, 3)
    for t_s in (5 * DAY_S, 0.0, 17.0, 2 * DAY_S + 40_000.0, DAY_S):
        asked_much.cores(t_s)
    assert asked_much.cores(DAY_S + 12_345.0).tobytes() == asked_once.cores(DAY_S + 12_345.0).tobytes()


def test_seeds_differ_and_demand_is_within_the_vcpus() -> None:
    one, other = demand_for(SPEC, 1), demand_for(SPEC, 2)
    assert not np.array_equal(one.cores(43_200.0), other.cores(43_200.0))
    for t_s in range(0, DAY_S, 7200):
        cores = one.cores(t_s)
        assert ((cores >= 0) & (cores <= SPEC.vcpus)).all()


def test_midnight_is_no_step() -> None:
    demand = demand_for(SPEC, 1)
    assert demand.cores(DAY_S - 1e-6) == pytest.approx(demand.cores(DAY_S), abs=1e-6)


def test_days_are_alike_but_not_the_same_and_those_before_the_start_exist() -> None:
    demand = demand_for(SPEC, 1)
    today, yesterday = demand.cores(43_200.0), demand.cores(43_200.0 - DAY_S)
    assert not np.array_equal(today, yesterday)
    assert np.corrcoef(today, yesterday)[0, 1] > 0.8


@pytest.mark.parametrize("hour", [12, 15, 22])
def test_the_cloud_peaks_at_the_hours_of_the_account(hour: int) -> None:
    demand = demand_for(SPEC, 1)
    before, peak, after = (demand.cores((hour + off) * 3600.0).sum() for off in (-1.5, 0, 1.5))
    assert peak > 1.15 * before
    assert peak > 1.15 * after


def test_a_later_start_is_the_same_day_later() -> None:
    assert demand_for(SPEC, 1, start_s=3600.0).cores(0.0) == pytest.approx(demand_for(SPEC, 1).cores(3600.0))


def test_a_trace_holds_each_sample_and_its_last() -> None:
    demand = TraceDemand(np.array([[0.1, 0.5]]), 300.0, np.array([4.0, 8.0]))
    assert demand.cores(0.0).tolist() == [0.4, 0.8]
    assert demand.cores(299.9).tolist() == [0.4, 0.8]
    assert demand.cores(300.0).tolist() == [2.0, 4.0]
    assert demand.cores(1e9).tolist() == [2.0, 4.0]
    assert demand.cores(-5.0).tolist() == [0.4, 0.8]
    assert demand.seconds == 600.0


def test_a_trace_is_scaled_and_capped_and_goes_round_its_series() -> None:
    demand = TraceDemand(np.array([[0.2], [0.6]]), 300.0, np.full(3, 10.0), scale=2.5)
    assert demand.cores(0.0).tolist() == [5.0, 10.0, 5.0]


@pytest.mark.parametrize(
    ("fractions", "interval_s", "scale", "message"),
    [
        (np.zeros((0, 0)), 300.0, 1.0, "empty"),
        (np.zeros((1, 1)), 0.0, 1.0, "interval"),
        (np.zeros((1, 1)), 300.0, float("nan"), "scale"),
        (np.zeros((1, 1)), 300.0, -1.0, "scale"),
    ],
)
def test_a_trace_that_makes_no_sense(
    fractions: np.ndarray[tuple[int, int], np.dtype[np.float64]], interval_s: float, scale: float, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        TraceDemand(fractions, interval_s, np.ones(2), scale)
