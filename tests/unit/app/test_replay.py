"""Replays side by side: the numbers of single ones, and all judged alike."""

import os
from dataclasses import replace

import numpy as np
import pytest

from watari.app.replay import Result, Setting, replay, replay_all
from watari.drivers.sim.series import Trace
from watari.policy.values import Detect, Policy

SETTING = Setting(hosts=6, servers=60, scale=2.5)
EASY = Policy(name="easy")
STRICT = Policy(name="strict", detect=Detect(steal=0.3))


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Half an hour of three servers; the first gets busy."""
    busy, calm = [20.0] * 2 + [90.0] * 4, [15.0] * 6
    return Trace(("a", "b", "c"), np.array([busy, calm, [30.0] * 6]) / 100, 300.0)


def numbers(result: Result) -> Result:
    """Without the time that the computation took."""
    return replace(result, cpu_s=0.0, wall_s=0.0)


@pytest.mark.parametrize("processors", [1, 2])
def test_all_are_judged_by_the_first_and_equal_single_replays(
    trace: Trace, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    shares: list[float] = []
    together = replay_all(trace, [EASY, STRICT], SETTING, shares.append)
    alone = [replay(trace, policy, SETTING, EASY.detect) for policy in (EASY, STRICT)]
    assert [numbers(each) for each in together] == [numbers(each) for each in alone]
    assert together[0].starved_minutes_nothing == together[1].starved_minutes_nothing > 0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(each.cpu_s > 0 and each.wall_s > 0 for each in together)


def test_alone_a_policy_is_judged_by_its_own_thresholds(trace: Trace) -> None:
    own, lenient = replay(trace, STRICT, SETTING), replay(trace, STRICT, SETTING, EASY.detect)
    assert own.starved_minutes_nothing < lenient.starved_minutes_nothing
    assert own.moves == lenient.moves
