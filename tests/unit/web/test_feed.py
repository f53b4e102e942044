"""What the page is told of the demo: one state, then ticks that bring it up to date; and one server's details."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from watari.app.clouds import SimSize
from watari.app.demo import SLOT_S, Demo
from watari.model.compute import ServerId
from watari.policy.load import load_policy
from watari.policy.values import LookAhead, Policy
from watari.web.contract import NO_DATA, PageState, PageTick
from watari.web.details import Inspector
from watari.web.feed import DemoFeed

SIZE = SimSize(9, 112, 1)
SWITCH_ON_S = 12.25 * 3600.0
HOURS = 12.75  # of the short day: from midnight over the noon peak and the moves after the switch on
STEPS_PER_SLOT = int(SLOT_S / 15)
COLUMNS = ("measured", "shadow", "starved", "done", "undone", "failed")


def policy() -> Policy:
    return replace(load_policy(), look_ahead=LookAhead(horizon_s=0))


def demo() -> Demo:
    return Demo(policy(), SIZE, days=HOURS / 24, switch_on_s=SWITCH_ON_S)


@dataclass(slots=True)
class Page:
    """Holds what a page holds: the first state, and every tick laid over it as the contract says."""

    state: PageState
    ticks: list[PageTick] = field(default_factory=list)

    def take(self, tick: PageTick) -> None:
        state, new = cast(dict[str, Any], self.state), cast(dict[str, Any], tick)
        for server, host in tick["placed"]:
            self.state["servers"]["host"][server] = host
        chart, tail = state["chart"], new["chart"]
        for column in COLUMNS:
            assert tail["at"] <= len(chart[column]), "a tail that leaves a gap"
            chart[column][tail["at"] :] = tail[column]
        state.update({key: value for key, value in new.items() if key not in ("placed", "chart")})
        self.ticks.append(tick)


@dataclass(frozen=True, slots=True)
class Day:
    """A short day that is over, and the page that followed it with a tick every so many steps."""

    demo: Demo
    feed: DemoFeed
    page: Page


def follow(every: int, start: int = 0) -> Day:
    one = demo()
    for _ in range(start):
        one.advance()
    feed = DemoFeed(one)
    page = Page(feed.state())
    while not one.over:
        for _ in range(every):
            if not one.over:
                one.advance()
        page.take(feed.tick())
    return Day(one, feed, page)


@pytest.fixture(scope="module")
def steps() -> Day:
    """A tick every step of 15 s from 12:00 on."""
    return follow(1, start=12 * 240)


@pytest.fixture(scope="module")
def slots() -> Day:
    """A tick every seven slots of the chart, as when a night flies by."""
    return follow(7 * STEPS_PER_SLOT)


@pytest.fixture
def watching() -> Iterator[tuple[Demo, DemoFeed]]:
    """Before the switch on, while somebody starves."""
    one = demo()
    while not (one.steps > 12 * 240 and one.whole_day.balanced.now_starved):
        one.advance()
    yield one, DemoFeed(one)


def test_the_state_is_complete_and_its_columns_are_of_one_length() -> None:
    one = demo()
    state = DemoFeed(one, pace=1440.0).state()
    assert set(state) == set(PageState.__annotations__)
    assert {len(column) for column in cast(dict[str, list[Any]], state["servers"]).values()} == {112}
    assert len(state["load"]["steal"]) == len(state["load"]["per_vcpu"]) == 112
    assert len(state["hosts"]) == len(state["host_cpu"]) == 9
    assert all(len(cast(dict[str, Any], state["chart"])[column]) == 0 for column in COLUMNS)
    assert (state["cloud"], state["pace"], state["flights"], state["ended"]) == (SIZE.name, 1440.0, [], None)
    assert all(0 <= host < 9 for host in state["servers"]["host"])
    for name, host in zip(state["servers"]["name"], state["servers"]["host"], strict=True):
        found = next(s for s in one.spec.servers if s.name == name)
        assert state["hosts"][host]["name"] == found.host


def test_every_tick_says_everything_and_columns_stay_equal(steps: Day) -> None:
    for tick in steps.page.ticks:
        assert set(tick) == set(PageTick.__annotations__)
        assert len(tick["load"]["steal"]) == len(tick["load"]["per_vcpu"]) == 112
        assert len(tick["host_cpu"]) == 9
        assert len({len(cast(dict[str, list[Any]], tick["chart"])[column]) for column in COLUMNS}) == 1
        assert tick["strip"]["starved"] == len(tick["starved"])
        assert tick["strip"]["moves"]["running"] == len(tick["flights"])
        assert all(value == NO_DATA or 0 <= value <= 1000 for value in tick["load"]["steal"])


@pytest.mark.parametrize("which", ["steps", "slots"])
def test_ticks_bring_the_page_to_where_a_new_one_starts(which: str, request: pytest.FixtureRequest) -> None:
    day = cast(Day, request.getfixturevalue(which))
    fresh, held = cast(dict[str, Any], day.feed.state()), cast(dict[str, Any], day.page.state)
    for key in fresh:
        if key != "chart":
            assert held[key] == fresh[key], key
    for column in COLUMNS:
        assert held["chart"][column] == fresh["chart"][column], column
    assert len(fresh["chart"]["measured"]) == HOURS * 3600 / SLOT_S


def test_the_tail_of_the_chart_covers_many_slots_at_once(slots: Day) -> None:
    first, second, *_ = slots.page.ticks
    assert (first["chart"]["at"], len(first["chart"]["measured"])) == (0, 7)
    assert (second["chart"]["at"], len(second["chart"]["measured"])) == (3, 11)
    chart = slots.page.state["chart"]
    assert sum(chart["done"]) == slots.page.state["strip"]["moves"]["done"] == len(slots.demo.ended) > 0
    switched_on = int(SWITCH_ON_S // SLOT_S)
    assert not any(chart["done"][:switched_on])
    assert chart["measured"][:switched_on] == chart["shadow"][:switched_on]
    assert sum(chart["measured"]) < sum(chart["shadow"])


def test_placed_follows_the_moves(steps: Day) -> None:
    placed = [pair for tick in steps.page.ticks for pair in tick["placed"]]
    cloud = steps.demo.cloud
    moved = [
        (cloud.server_ids.index(ServerId(op.subject)), cloud.host_names.index(op.target))
        for op in (record.operation for record in steps.demo.ended if record.steps[0].state == "done")
    ]
    assert sorted(placed) == sorted(moved)
    assert moved


def test_flights_keep_their_number_and_go_from_the_source_to_the_target(steps: Day) -> None:
    seen: dict[str, set[tuple[int, int, int, int]]] = {}
    for tick in steps.page.ticks:
        for flight in tick["flights"]:
            seen.setdefault(flight["id"], set()).add((flight["n"], flight["server"], flight["from"], flight["to"]))
            assert 0 <= flight["done_mib"] <= flight["total_mib"]
            assert flight["phase"] in ("queued", "disk", "memory")
    assert seen
    assert all(len(each) == 1 for each in seen.values())
    numbers = sorted(n for each in seen.values() for n, *_ in each)
    assert numbers == list(range(1, len(seen) + 1))


def test_who_starves_before_the_switch_on_is_only_watched(watching: tuple[Demo, DemoFeed]) -> None:
    one, feed = watching
    starved = feed.state()["starved"]
    assert len(starved) == feed.state()["strip"]["starved"] > 0
    assert {(s["intent"], s["to"], s["why"]) for s in starved} == {("refused", None, "The balancer only watches yet.")}
    steal = one.cloud.contention.steal
    worst = [float(steal[s["server"]]) for s in starved]
    assert worst == sorted(worst, reverse=True)


def test_a_starved_server_moves_or_waits_or_is_relieved() -> None:
    """One slow move at a time, so that all three are seen."""
    slow = replace(policy(), budgets=replace(policy().budgets, total=1, move_mib_s=40.0))
    one = Demo(slow, replace(SIZE, seed=7), days=HOURS / 24, switch_on_s=SWITCH_ON_S)
    while not one.operations():
        one.advance()
    feed, seen = DemoFeed(one), set()
    while not one.over:
        tick = feed.tick()
        flights = {flight["server"]: flight["to"] for flight in tick["flights"]}
        for s in tick["starved"]:
            seen.add(s["intent"])
            assert (s["intent"] == "moving") == (s["server"] in flights)
            assert s["intent"] != "moving" or s["to"] == flights[s["server"]]
            assert s["to"] is None or s["intent"] in ("moving", "planned")
            assert s["why"] or s["to"] is not None
        one.advance()
    assert seen == {"moving", "planned", "relieved"}


def test_the_numbers_of_the_end_are_those_of_the_day(steps: Day) -> None:
    *running, last = steps.page.ticks
    assert all(tick["ended"] is None for tick in running)
    ended, result = last["ended"], steps.demo.result()
    assert ended is not None
    assert ended["starved_min"] == round(result.starved_minutes, 1)
    assert ended["starved_min_shadow"] == round(result.starved_minutes_nothing, 1)
    assert (ended["steal_s"], ended["steal_s_shadow"]) == (
        round(result.stolen_core_s),
        round(result.stolen_core_s_nothing),
    )
    assert ended["avoided"] == round(result.avoided, 4)
    assert ended["moves"] == {"done": result.moves, "running": 0, "undone": 0, "failed": 0}
    assert ended["moved_mib"]["memory"] == pytest.approx(result.memory_gib * 1024)


def at_the_switch_on() -> Demo:
    """The first plan that is acted on has just been made."""
    one = demo()
    while not one.operations():
        one.advance()
    return one


def test_details_of_a_server_that_moves() -> None:
    one = at_the_switch_on()
    made = one.balancer.plan
    assert made is not None
    op = made.operations[0]
    told = Inspector(one).details(op.subject)
    assert told is not None
    assert (told["verdict"]["kind"], told["verdict"]["title"]) == ("planned", f"Moves to {op.target}")
    assert told["host"] == op.source
    assert told["candidates"][0]["host"] == op.target
    assert told["candidates_note"] == "lowest score wins"
    assert [rule["name"] for rule in told["rules"]] == ["steal", "load per vCPU", "held", "may move"]
    assert (told["help"], told["moves"]) == ("", [])
    assert 0 < len(told["history"]) <= 200
    assert [point["t"] for point in told["history"]] == sorted(point["t"] for point in told["history"])


def test_details_of_a_server_on_its_way() -> None:
    slow = replace(policy(), budgets=replace(policy().budgets, move_mib_s=40.0))
    one = Demo(slow, SIZE, days=HOURS / 24, switch_on_s=SWITCH_ON_S)
    while not (one.balancer.snapshot and one.balancer.snapshot.flights):
        one.advance()
    told = Inspector(one).details(one.balancer.snapshot.flights[0].server)
    assert told is not None
    assert (told["verdict"]["kind"], told["moves"]) == ("moving", [])


def test_details_after_a_move_know_where_it_was(steps: Day) -> None:
    step, op = steps.demo.ended[0].steps[0], steps.demo.ended[0].operation
    told = Inspector(steps.demo).details(op.subject)
    assert told is not None
    assert told["host"] == op.target
    assert step.ended_at is not None
    (move,) = told["moves"]
    assert (move["from"], move["to"], move["outcome"]) == (op.source, op.target, "done")
    assert move["ended"] == step.ended_at.isoformat()


def test_details_of_a_server_that_is_relieved() -> None:
    one = at_the_switch_on()
    made = one.balancer.plan
    assert made is not None
    refusal = next(r for r in made.refusals if r.code == "relieved")
    told = Inspector(one).details(refusal.subject)
    assert told is not None
    assert told["starved"]
    assert (told["verdict"]["kind"], told["verdict"]["title"]) == ("relieved", "Stays and is relieved")
    assert told["verdict"]["text"].startswith("moving ")
    assert (told["candidates"], told["candidates_note"]) == ([], "")


def test_details_of_a_healthy_server_and_of_nobody() -> None:
    one = at_the_switch_on()
    made, snapshot = one.balancer.plan, one.balancer.snapshot
    assert made is not None
    assert snapshot is not None
    concerned = {op.subject for op in made.operations} | {r.subject for r in made.refusals}
    healthy = next(id_ for id_ in snapshot.servers if id_ not in concerned)
    told = Inspector(one).details(healthy)
    assert told is not None
    assert (told["verdict"]["kind"], told["verdict"]["title"]) == ("healthy", "Is healthy and stays")
    assert not told["starved"]
    assert told["load"] is not None
    assert told["zone"] == snapshot.hosts[snapshot.servers[healthy].host].zone
    assert Inspector(one).details("nobody") is None


def test_before_the_first_round_nobody_is_known() -> None:
    one = demo()
    assert Inspector(one).details(one.cloud.server_ids[0]) is None


def test_a_calm_round_makes_no_plan_and_is_explained_all_the_same() -> None:
    one = demo()
    one.advance()
    assert one.balancer.plan is None
    told = Inspector(one).details(one.cloud.server_ids[0])
    assert told is not None
    assert told["verdict"]["kind"] == "healthy"
