"""An allowance that fills up again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.errors import BadInput
from watari.web.api import rates
from watari.web.api.rates import Rates, TooMuch


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def taken(one: Rates, key: str = "mai") -> bool:
    try:
        one.count(key)
    except TooMuch:
        return False
    return True


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_never_more_than_the_limit_at_once_and_the_pace_after_it(waits: list[float], most: int) -> None:
    clock = Clock()
    one, got = Rates(f"{most}/minute", clock), []
    for wait in waits:
        clock.at += wait
        if taken(one):
            got.append(clock.at)
    for i, begin in enumerate(got):
        within = sum(begin <= at <= begin + 60 for at in got[i:])
        assert within <= 2 * most, "a full allowance, and what came in within the minute"


def test_who_waits_as_long_as_told_may_ask_again() -> None:
    clock = Clock()
    one = Rates("2/minute", clock)
    assert [taken(one) for _ in range(3)] == [True, True, False]
    assert taken(one, "rie"), "another caller has an allowance of his own"
    with pytest.raises(TooMuch, match="2/minute at most; ask again in") as told:
        one.count("mai")
    clock.at += told.value.after_s
    assert taken(one)


def test_what_is_given_back_does_not_count() -> None:
    one = Rates("1/hour", Clock())
    for _ in range(5):
        assert taken(one)
        one.give_back("mai")
    assert taken(one)
    assert not taken(one)


def test_it_remembers_a_bounded_number_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 10)
    one = Rates("1/hour", Clock())
    assert all(taken(one, str(n)) for n in range(100))
    assert len(one._left) == 10


@pytest.mark.parametrize("text", ["", "often", "0/second", "5", "5/fortnight", "-1/second", "1.5/second"])
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(BadInput, match="is no rate: write a number"):
        Rates(text)
