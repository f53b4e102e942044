"""The demo's day: watch first, then act; the score counts from the switch on; the same seed, the same day."""

import time
from dataclasses import replace

import pytest

from watari.app.clouds import SimSize
from watari.app.demo import Demo, Pace, run_demo
from watari.policy.load import load_policy
from watari.policy.values import LookAhead, Policy

SIZE = SimSize(9, 112, 1)
NOON_S = 12 * 3600.0
SWITCH_ON_S = NOON_S + 900.0
STEPS_PER_H = 240


def reactive() -> Policy:
    """Without look-ahead no day before is lived through."""
    return replace(load_policy(), look_ahead=LookAhead(horizon_s=0))


def lived(demo: Demo, steps: int) -> Demo:
    for _ in range(steps):
        demo.advance()
    return demo


def test_it_watches_until_it_is_switched_on_and_counts_from_then_on() -> None:
    demo = Demo(reactive(), SIZE, days=13 / 24, switch_on_s=SWITCH_ON_S)
    lived(demo, int(SWITCH_ON_S / 15))
    assert (demo.acting, demo.frame().acting) == (False, False)
    assert demo.balancer.plan is not None, "it knows what it would do"
    assert demo.balancer.plan.operations
    assert not demo.operations()
    assert not demo.journal
    assert demo.whole_day.balanced.starved_minutes == demo.whole_day.shadow.starved_minutes > 0
    assert demo.score.shadow.starved_minutes == demo.score.balanced.stolen_core_s == 0
    demo.advance()
    assert demo.acting
    assert demo.operations()
    before = demo.whole_day.shadow.stolen_core_s - demo.score.shadow.stolen_core_s
    while not demo.over:
        demo.advance()
    result = demo.result()
    assert before > 0
    assert demo.whole_day.shadow.stolen_core_s - result.stolen_core_s_nothing == pytest.approx(before)
    assert result.starved_minutes < result.starved_minutes_nothing < demo.whole_day.shadow.starved_minutes
    assert result.moves == len(demo.ended) == demo.frame().moves_done > 0


def test_a_demo_may_act_from_midnight_on() -> None:
    demo = Demo(reactive(), SIZE, days=1 / 24, switch_on_s=0.0)
    assert demo.acting
    lived(demo, 8)
    assert demo.score.shadow.stolen_core_s == demo.whole_day.shadow.stolen_core_s


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    one, same = (lived(Demo(load_policy(), SIZE), STEPS_PER_H * 13).frame() for _ in range(2))
    assert one.moves_done > 0
    assert one == same
    other = lived(Demo(reactive(), replace(SIZE, seed=2)), STEPS_PER_H * 12).frame()
    assert other.curve_shadow != one.curve_shadow[: len(other.curve_shadow)]


def test_as_fast_as_it_goes_every_step_is_taken() -> None:
    frames: list[int] = []
    demo = Demo(reactive(), SIZE, days=3 / 24)
    run_demo(demo, 0.0, lambda: frames.append(demo.steps), lambda: False)
    assert demo.over
    assert frames == [STEPS_PER_H, 2 * STEPS_PER_H, 3 * STEPS_PER_H, 3 * STEPS_PER_H]


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_a_stop_is_obeyed_before_the_next_step(seconds: float) -> None:
    demo, asked, frames = Demo(reactive(), SIZE), 0, []

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    run_demo(demo, seconds, lambda: frames.append(demo.steps), stop, frames_per_s=1000.0)
    assert demo.steps <= 2
    assert frames[-1] == demo.steps, "the last frame shows where it ended"
    assert not demo.over


def test_stopped_at_once_it_takes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("nobody waits"))
    frames: list[int] = []
    demo = Demo(reactive(), SIZE)
    run_demo(demo, 60.0, lambda: frames.append(demo.steps), lambda: True)
    assert frames == [0]


def test_time_slows_down_while_servers_move() -> None:
    demo = Demo(reactive(), SIZE, switch_on_s=SWITCH_ON_S)
    night, quick = Pace(demo, 60.0).weight(), Pace(demo, 60.0).steps(10.0)
    while not demo.cloud.flights_progress():
        demo.advance()
    assert Pace(demo, 60.0).weight() > 1.0 > night
    assert quick > 10 * Pace(demo, 60.0).steps(10.0) > 0


def test_parts_of_a_step_add_up() -> None:
    demo = Demo(reactive(), SIZE)
    at_once, in_parts = Pace(demo, 3600.0), Pace(demo, 3600.0)
    whole = at_once.steps(9.99)
    assert whole == sum(in_parts.steps(0.0333) for _ in range(300)) > 0
