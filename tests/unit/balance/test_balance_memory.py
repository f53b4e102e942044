"""What is remembered between rounds: smoothed loads, rounds that a threshold held, the shape of a day."""

from dataclasses import replace
from datetime import timedelta
from math import exp

import numpy as np
import pytest

from unit.balance.small_clouds import H1, NOON, load, minutes, server, snapshot
from watari.jobs.balance import Memory, needs_help, plan, remember
from watari.jobs.placement.memory import forecast_cores
from watari.model.compute import ComputeSnapshot, Load
from watari.policy.values import Detect, LookAhead, Policy

POLICY = Policy()
STARVED = load(0.2, 1.5, 4.0)


def at_minute(n: float, loads: dict[str, Load], names: tuple[str, ...] = ("web-1",)) -> ComputeSnapshot:
    """Loads are as fresh as the snapshot."""
    at = NOON + minutes(n)
    fresh = {name: replace(value, at=at) for name, value in loads.items()}
    return snapshot([server(name) for name in names], fresh, at=at)


def remembered(*snapshots: ComputeSnapshot, policy: Policy = POLICY) -> Memory:
    memory: Memory | None = None
    for each in snapshots:
        memory = remember(memory, each, policy)
    assert memory is not None
    return memory


def test_the_first_reading_is_taken_as_it_is() -> None:
    memory = remembered(at_minute(0, {"web-1": STARVED}))
    assert (memory.steal[0], memory.load[0], memory.mean[0]) == (0.2, 1.5, 4.0)
    assert memory.rounds.tolist() == [1]


def test_later_readings_are_blended_by_the_time_that_passed() -> None:
    memory = remembered(at_minute(0, {"web-1": load(0.0)}), at_minute(1, {"web-1": load(0.2)}))
    assert memory.steal[0] == pytest.approx(0.2 * (1 - exp(-1)))


def test_without_smoothing_each_reading_counts_alone() -> None:
    policy = Policy(detect=Detect(smoothing_s=0.0))
    memory = remembered(at_minute(0, {"web-1": load(0.0)}), at_minute(1, {"web-1": load(0.2)}), policy=policy)
    assert memory.steal[0] == 0.2


def test_rounds_count_both_thresholds_and_begin_anew() -> None:
    busy, calm = {"web-1": STARVED}, {"web-1": load()}
    policy = Policy(detect=Detect(smoothing_s=0.0))
    memory = remembered(at_minute(0, busy), at_minute(1, busy), policy=policy)
    assert memory.rounds.tolist() == [2]
    memory = remember(memory, at_minute(2, calm), policy)
    assert memory.rounds.tolist() == [0]
    only_steal = remember(memory, at_minute(3, {"web-1": load(0.2, 0.5)}), policy)
    assert only_steal.rounds.tolist() == [0]


def test_a_missing_reading_is_no_reading() -> None:
    """The averages and the count of rounds stay as they were: unknown is neither starved nor healthy."""
    before = remembered(at_minute(0, {"web-1": STARVED}))
    after = remember(before, at_minute(1, {}), POLICY)
    assert after.steal[0] == before.steal[0]
    assert after.mean[0] == before.mean[0]
    assert after.rounds.tolist() == before.rounds.tolist() == [1]
    assert not plan(at_minute(1, {}), POLICY, after).operations


def test_a_reading_seen_twice_is_one_round() -> None:
    once = at_minute(0, {"web-1": STARVED})
    assert remembered(once, replace(once, taken_at=once.taken_at + timedelta(seconds=60))).rounds.tolist() == [1]


def test_not_a_number_is_no_reading() -> None:
    memory = remembered(at_minute(0, {"web-1": load(float("nan"))}))
    assert not memory.seen.any()


def test_a_server_that_appears_starts_without_a_past_and_others_keep_theirs() -> None:
    one = at_minute(0, {"web-1": STARVED})
    two = at_minute(1, {"db-1": load(), "web-1": STARVED}, ("db-1", "web-1"))
    memory = remembered(one, two)
    assert memory.ids == ("db-1", "web-1")
    assert memory.rounds.tolist() == [0, 2]
    assert memory.mean.tolist() == [1.0, 4.0]


def test_a_server_that_disappears_is_forgotten() -> None:
    two = at_minute(0, {"db-1": load(), "web-1": STARVED}, ("db-1", "web-1"))
    one = at_minute(1, {"web-1": STARVED})
    memory = remembered(two, one)
    assert memory.ids == ("web-1",)
    assert memory.rounds.tolist() == [2]


def test_an_empty_cloud_can_be_remembered() -> None:
    memory = remembered(at_minute(0, {}, ()), at_minute(1, {"web-1": load()}))
    assert memory.mean.tolist() == [1.0]


def test_hosts_count_the_rounds_in_which_they_are_asked_for_too_much() -> None:
    servers = [server(f"s-{i}", H1, vcpus=16) for i in range(2)]
    both = {s.name: load(cores=13.0) for s in servers}
    first = snapshot(servers, both)
    later = first.taken_at + timedelta(seconds=60)
    second = replace(first, taken_at=later, loads={id_: replace(x, at=later) for id_, x in first.loads.items()})
    assert remembered(first, second).host_rounds == {"h1": 2}
    assert remembered(first, first).host_rounds == {"h1": 1}


def test_a_memory_of_other_servers_is_a_mistake() -> None:
    memory = remembered(at_minute(0, {"web-1": load()}))
    with pytest.raises(ValueError, match="call remember"):
        plan(at_minute(1, {"db-1": load()}, ("db-1",)), POLICY, memory)


def test_help_is_needed_from_the_first_starved_round_on() -> None:
    calm, busy = at_minute(0, {"web-1": load()}), at_minute(0, {"web-1": STARVED})
    assert not needs_help(remembered(calm), calm, POLICY)
    assert needs_help(remembered(busy), busy, POLICY)


def day(policy: Policy) -> Memory:
    """A day in readings of a quarter of an hour: one core, and four from 15 h to 16 h."""
    readings = (load(cores=4.0 if 12 <= n <= 15 else 1.0) for n in range(97))
    return remembered(*(at_minute(15 * n, {"web-1": one}) for n, one in enumerate(readings)), policy=policy)


def test_the_shape_of_a_day_is_read_ahead() -> None:
    policy = Policy(look_ahead=LookAhead(horizon_s=3600.0))
    memory = day(policy)
    quarter_past_two = NOON + minutes(24 * 60 + 135)
    assert forecast_cores(memory, policy, quarter_past_two)[:, 0].tolist() == [1.0, 1.0, 4.0, 4.0]


def test_without_a_past_day_there_is_no_forecast() -> None:
    memory = remembered(at_minute(0, {"web-1": load()}), at_minute(15, {"web-1": load()}))
    assert not len(forecast_cores(memory, POLICY, NOON + minutes(15)))


def test_look_ahead_can_be_turned_off() -> None:
    policy = Policy(look_ahead=LookAhead(horizon_s=0.0))
    memory = day(policy)
    assert memory.shape is None
    assert forecast_cores(memory, policy, NOON).shape == (0, 1)


def test_a_newcomer_counts_with_its_present_demand() -> None:
    policy = Policy(look_ahead=LookAhead(horizon_s=3600.0))
    later = at_minute(24 * 60 + 135, {"web-1": load(), "new-1": load(cores=2.5)}, ("new-1", "web-1"))
    memory = remember(day(policy), later, policy)
    assert np.allclose(forecast_cores(memory, policy, later.taken_at)[:, 0], 2.5)
