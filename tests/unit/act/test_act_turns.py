"""Whose turn it is: in the order of the plan, whoever's patience ends first."""

import threading

from watari.act.durable.turns import Turns

SOON_S, LATE_S = 0.2, 20.0


def waiting(turns: Turns, order: list[int], places: list[int], seconds: dict[int, float]) -> list[threading.Thread]:
    """Threads that wait for their turn, note it, and pass it on."""

    def run(n: int) -> None:
        turns.wait(("r", n), seconds[n])
        order.append(n)
        turns.pass_on(("r", n))

    threads = [threading.Thread(target=run, args=(n,)) for n in places]
    for thread in threads:
        thread.start()
    while len(turns._waiting) < len(places):
        threading.Event().wait(0.001)
    return threads


def test_a_free_place_is_offered_in_the_order_of_the_plan() -> None:
    turns, order = Turns(), list[int]()
    threads = waiting(turns, order, [3, 1, 2], dict.fromkeys((1, 2, 3), LATE_S))
    turns.wake()
    for thread in threads:
        thread.join(LATE_S)
    assert order == [1, 2, 3]


def test_whose_patience_ends_lets_those_before_it_try_first() -> None:
    turns, order = Turns(), list[int]()
    threads = waiting(turns, order, [1, 2, 3], {1: LATE_S, 2: LATE_S, 3: SOON_S})
    for thread in threads:
        thread.join(LATE_S)
    assert order == [1, 2, 3]


def test_alone_it_tries_when_its_patience_ends() -> None:
    turns, order = Turns(), list[int]()
    (thread,) = waiting(turns, order, [1], {1: SOON_S})
    thread.join(LATE_S)
    assert order == [1]
