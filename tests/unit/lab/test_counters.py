"""What the exporter counts: contention by demand, over migrations, restarts and evacuations."""

import json
import random
from itertools import pairwise
from typing import Any

import pytest

from watari.lab.counters import Book, Guest
from watari.lab.spec import HostSize

SIZE = HostSize(threads=8)


def guest(id: str, host: str, cores: float | None = None, **changes: Any) -> Guest:
    metadata = {} if cores is None else {"lab:cores": str(cores)}
    values: dict[str, Any] = {
        "domain": f"instance-{id}",
        "name": id,
        "project": "p",
        "flavor": "m1.large",
        "vcpus": 4,
        "metadata": metadata,
        "since": 0.0,
        "power": 1,
    }
    return Guest(id, host, **(values | changes))


def test_an_idle_host_steals_nothing() -> None:
    book = Book()
    for now in (100.0, 101.0, 102.0):
        book.advance(now, [guest("a", "cmp01", 2.0)], {}, SIZE)
    counters = book.of["a"]
    assert counters.delay_s == 0.0
    assert counters.run_s == pytest.approx(1.0)  # 2 s at half of each of its 4 vCPUs
    assert counters.idle_s == pytest.approx(1.0)
    assert counters.load == pytest.approx(2.0)


def test_an_overloaded_host_shares_its_threads_and_time_adds_up() -> None:
    book, servers = Book(), [guest(id, "cmp01", 4.0) for id in ("a", "b", "c")]  # 12 cores wanted, 8 there
    for now in range(100, 111):
        book.advance(float(now), servers, {}, SIZE)
    for counters in book.of.values():
        assert counters.delay_s == pytest.approx(10 / 3)
        assert counters.run_s == pytest.approx(20 / 3)
        assert counters.delay_s + counters.run_s + counters.idle_s == pytest.approx(10.0)
        assert counters.load == pytest.approx(6.0)  # 4 vCPUs, served at two thirds
    assert sum(counters.run_s * 4 for counters in book.of.values()) == pytest.approx(8 * 10)


def test_counters_go_with_the_server_without_reset_or_jump() -> None:
    book, neighbours = Book(), [guest(id, "cmp01", 4.0) for id in ("b", "c")]
    places = ["cmp01"] * 5 + [""] * 2 + ["cmp02"] * 5  # for a moment it is on neither host
    seen = []
    for now, place in enumerate(places, start=100):
        here = [guest("a", place, 4.0)] if place else []
        book.advance(float(now), [*neighbours, *here], {}, SIZE)
        seen.append(book.of["a"].delay_s)
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert all(0.0 <= step <= 0.34 for step in steps)
    assert steps[0] == pytest.approx(1 / 3)
    assert steps[-1] == 0.0


def test_a_server_on_two_hosts_is_where_it_came_to_last() -> None:
    book = Book()
    placed = book.advance(100.0, [guest("a", "cmp01", since=5.0), guest("a", "cmp02", since=50.0)], {}, SIZE)
    assert [one.host for one in placed.values()] == ["cmp02"]


def test_a_restart_goes_on_where_the_counters_were() -> None:
    book, server = Book(), guest("a", "cmp01", 4.0)
    book.advance(100.0, [server], {}, SIZE)
    book.advance(110.0, [server], {}, SIZE)
    again = Book.from_json(json.loads(json.dumps(book.to_json())))
    again.advance(113.0, [server], {}, SIZE)  # it was away for three seconds, the server was not
    assert again.of["a"].run_s == pytest.approx(13.0)


def test_time_in_which_the_lab_was_not_up_counts_for_a_minute_at_most() -> None:
    book, server = Book(), guest("a", "cmp01", 4.0)
    book.advance(100.0, [server], {}, SIZE)
    book.advance(90_000.0, [server], {}, SIZE)
    assert book.of["a"].run_s == pytest.approx(60.0)


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    book, server = Book(), guest("a", "cmp01", 4.0)
    for now in (100.0, 101.0, 50.0, 51.0):
        book.advance(now, [server], {}, SIZE)
    assert book.of["a"].run_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("demand", "metadata", "expected"),
    [
        ({}, {}, 0.4),
        ({}, {"lab:cores": "1.5"}, 1.5),
        ({"a": 3.0}, {"lab:cores": "1.5"}, 3.0),
        ({"a": 99.0}, {}, 4.0),
        ({"a": -1.0}, {}, 0.0),
        ({}, {"lab:cores": "many"}, 0.4),
    ],
)
def test_demand_is_the_override_then_the_metadata_then_a_little(
    demand: dict[str, float], metadata: dict[str, str], expected: float
) -> None:
    assert guest("a", "cmp01", metadata=metadata).cores(demand) == pytest.approx(expected)


def test_a_server_that_is_off_asks_for_nothing_and_a_deleted_one_is_forgotten() -> None:
    book = Book()
    book.advance(100.0, [guest("a", "cmp01", 4.0), guest("off", "cmp01", 4.0, power=4)], {}, SIZE)
    book.advance(101.0, [guest("off", "cmp01", 4.0, power=4)], {}, SIZE)
    assert book.of["off"].run_s == 0.0
    book.advance(100.0 + 2000.0, [guest("off", "cmp01", 4.0, power=4)], {}, SIZE)
    assert list(book.of) == ["off"]


def test_counters_never_fall_whatever_happens() -> None:
    chance, book = random.Random(7), Book()
    last: dict[str, tuple[float, ...]] = {}
    for now in range(100, 400):
        servers = [
            guest(id, chance.choice(("cmp01", "cmp02")), chance.uniform(0, 4), power=chance.choice((1, 1, 4)))
            for id in ("a", "b", "c", "d", "e")
            if chance.random() < 0.9
        ]
        book.advance(float(now), servers, {}, SIZE)
        for id, counters in book.of.items():
            values = (counters.delay_s, counters.run_s, counters.idle_s)
            assert all(new >= old for new, old in zip(values, last.get(id, (0.0, 0.0, 0.0)), strict=True))
            last[id] = values
