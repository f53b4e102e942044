"""Waves: as early as every budget lets them, and each waiting move says which budget it waits for."""

import pytest

from watari.plan.estimate import estimate_move
from watari.plan.waves import Slot, move_slots, waves_from


def test_moves_go_together_until_a_budget_is_full() -> None:
    waves = waves_from([])
    slot = Slot("moves out of h1", 2)
    assert [waves.place([slot])[0] for _ in range(5)] == [1, 1, 2, 2, 3]


def test_who_waits_is_told_for_what() -> None:
    waves = waves_from([])
    total, into = Slot("moves in total", 9), Slot("moves into h2", 1)
    assert waves.place([total, into]) == (1, "")
    assert waves.place([total, into]) == (2, "moves into h2: 1 of 1 at once in wave 1")


def test_what_is_under_way_holds_places_of_the_first_wave() -> None:
    out = Slot("moves out of h1", 1)
    waves = waves_from([[out], [out]])  # more than allowed: somebody else started one
    assert waves.place([out])[0] == 2


def test_a_later_move_may_fill_an_earlier_wave() -> None:
    waves = waves_from([])
    total = Slot("moves in total", 2)
    assert [waves.place([total, Slot(f"role {role}", 1)])[0] for role in ("web", "web", "db")] == [1, 2, 1]


def test_a_server_without_a_role_takes_no_place_of_one() -> None:
    limits = {"total": 9, "zone": 8, "out": 7, "in": 6, "role": 5}
    with_role = [slot.key for slot in move_slots("h1", "h2", "az1", "web", limits)]
    assert with_role == [
        "moves in total", "moves in az1", "moves out of h1", "moves into h2", "moves of role web"
    ]  # fmt: skip
    assert len(move_slots("h1", "h2", "az1", "", limits)) == 4


def test_a_move_is_estimated_by_its_rate_and_what_the_guest_rewrites() -> None:
    idle = estimate_move(8192, 0, 0, 800)
    assert idle.seconds == pytest.approx(2 + 8192 / 800, abs=0.1)
    busy = estimate_move(8192, 0, 8, 800)  # 8 cores rewrite 200 MiB/s: a quarter of the rate
    assert busy.seconds == pytest.approx(2 + 8192 / 0.75 / 800, abs=0.1)
    with_disk = estimate_move(8192, 102400, 0, 800)
    assert with_disk.seconds == pytest.approx(idle.seconds + 128, abs=0.1)


def test_a_guest_that_rewrites_faster_than_the_link_is_slowed_down_and_comes_through() -> None:
    assert estimate_move(8192, 0, 64, 100).seconds == pytest.approx(2 + 4 * 8192 / 100, abs=0.1)
