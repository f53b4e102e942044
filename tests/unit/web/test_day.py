"""The chart of a real cloud: slots of five minutes, gaps that are told, one day at most."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from unit.balance.small_clouds import load, server, snapshot
from watari.jobs.placement.world import read_loads
from watari.policy.load import load_policy
from watari.policy.values import Policy
from watari.web.day import SLOTS, UNMEASURED, Day

AT = datetime(2026, 3, 1, 9, 58, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return replace(load_policy(), timezone=UTC)


def look(day: Day, policy: Policy, at: datetime, steal: float = 0.5) -> None:
    seen = snapshot([server("a")], {"a": load(steal, at=at)}, at=at)
    day.add(at, read_loads(seen, policy.detect.stale_after_s), seen, policy)


def test_a_slot_is_the_mean_of_its_looks_and_one_without_any_is_unmeasured(policy: Policy) -> None:
    day = Day()
    for minutes, steal in ((0, 0.5), (1, 0.25), (12, 0.1)):
        look(day, policy, AT + timedelta(minutes=minutes), steal)
    chart = day.chart()
    assert (chart["start"], chart["step_s"]) == ("2026-03-01T09:55:00+00:00", 300)
    assert chart["measured"] == [1.5, UNMEASURED, UNMEASURED, 0.4]
    assert len(chart["done"]) == len(chart["starved"]) == 4


def test_what_was_stolen_counts_since_midnight(policy: Policy) -> None:
    day = Day()
    late = datetime(2026, 3, 1, 23, 58, tzinfo=UTC)
    look(day, policy, late)
    look(day, policy, late + timedelta(minutes=1))
    assert day.stolen_core_s == pytest.approx(120.0)
    look(day, policy, late + timedelta(minutes=3))
    assert day.stolen_core_s == 0.0


def test_it_holds_a_day_and_forgets_what_is_older(policy: Policy) -> None:
    day = Day()
    for slot in range(SLOTS + 10):
        look(day, policy, AT + timedelta(minutes=5 * slot))
    chart = day.chart()
    assert len(chart["measured"]) == SLOTS
    assert datetime.fromisoformat(chart["start"]) == datetime(2026, 3, 1, 10, 45, tzinfo=UTC)


@pytest.mark.parametrize("jump", [timedelta(days=-3), timedelta(days=30)])
def test_a_clock_that_jumps_begins_anew(policy: Policy, jump: timedelta) -> None:
    day = Day()
    look(day, policy, AT)
    look(day, policy, AT + jump)
    assert len(day.chart()["measured"]) == 1
    assert day.stolen_core_s >= 0.0
