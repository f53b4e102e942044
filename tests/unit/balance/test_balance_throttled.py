"""A host that gives less than its threads: believed at once in a snapshot file, after some rounds in a loop."""

from dataclasses import replace

from unit.balance.small_clouds import H1, H2, NOON, load, minutes, server, snapshot
from watari.jobs.balance import Memory, plan, remember
from watari.jobs.placement.world import THROTTLED_ROUNDS, build_world
from watari.model.compute import ComputeSnapshot, Load, PastMove, ServerId
from watari.policy.values import Policy

POLICY = Policy()
NAMES = ("web-1", "web-2", "web-3")
SLOW = load(0.2, 1.2, 6.0)  # 18 cores asked for, 6 vCPUs each: 3 x 6 x 0.2 = 3.6 not given, on a host of 24
FREE = load(0.0, 0.8, 6.0)


def seen(minute: int, one: Load = SLOW, past: tuple[PastMove, ...] = ()) -> ComputeSnapshot:
    at = NOON + minutes(minute)
    loads = {name: replace(one, at=at) for name in NAMES}
    return snapshot([server(name, H1, vcpus=6) for name in NAMES], loads, at=at, past=past)


def after(rounds: list[Load]) -> tuple[ComputeSnapshot, Memory]:
    """The last snapshot and the memory of it, a round a minute."""
    memory: Memory | None = None
    last = seen(0)
    for minute, one in enumerate(rounds):
        last = seen(minute, one)
        memory = remember(memory, last, POLICY)
    assert memory is not None
    return last, memory


def believed(last: ComputeSnapshot, memory: Memory | None) -> float:
    """What h1 is thought to give, in cores."""
    rounds = None if memory is None else memory.throttled_rounds
    return float(build_world(last, POLICY, None, rounds).cpus[0])


def test_a_file_holds_means_over_a_window_and_is_believed() -> None:
    assert round(believed(seen(0), None), 6) == 14.4


def test_a_loop_believes_it_once_it_has_lasted() -> None:
    for rounds in range(1, THROTTLED_ROUNDS):
        assert believed(*after([SLOW] * rounds)) == 24.0, rounds
    assert round(believed(*after([SLOW] * THROTTLED_ROUNDS)), 6) == 14.4


def test_one_round_without_it_begins_the_count_anew() -> None:
    last, memory = after([SLOW] * 4 + [FREE] + [SLOW] * 4)
    assert memory.throttled_rounds == {H1: 4}
    assert believed(last, memory) == 24.0


def test_the_plan_follows_what_is_believed() -> None:
    early, late = after([SLOW] * 4), after([SLOW] * 5)
    made = plan(early[0], POLICY, early[1])
    assert not made.operations
    assert {refusal.code for refusal in made.refusals} == {"easing"}
    assert [op.name for op in plan(late[0], POLICY, late[1]).operations] == ["web-1"]


def test_a_host_that_was_just_stirred_is_not_counted() -> None:
    """Its servers still report the steal of before the move."""
    left = PastMove(ServerId("web-9"), H1, H2, NOON)
    memory = remember(None, seen(1, past=(left,)), POLICY)
    assert memory.throttled_rounds == {}
