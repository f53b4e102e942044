"""What a move brought: helped, did not help, or cannot be said; and what that does to its server's rest."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from math import nan

import pytest

from unit.balance.small_clouds import H1, H2, NOON, load, minutes, server, snapshot
from watari.jobs.balance.benefit import (
    JOIN_S,
    Before,
    Benefit,
    Change,
    Paid,
    Seen,
    before_of_plan,
    befores,
    measure,
    not_measured,
    with_gains,
)
from watari.jobs.balance.benefit_words import benefit_text
from watari.jobs.placement.standing import Ban, standing
from watari.jobs.placement.world import build_world
from watari.model.compute import ComputeSnapshot, HostName, Load, PastMove, Server, ServerId
from watari.plan import codec
from watari.plan.plan import Cost, Operation, OperationId
from watari.plan.steps import LiveMigrate
from watari.policy.values import Calm, Detect, Policy

DETECT, PAID, SETTLE_S = Detect(), Paid(8192, 12, 0.4), 120.0
MOVED_AT, AFTER = NOON + minutes(1), NOON + minutes(4)
WEB, DB, CACHE = ServerId("web-1"), ServerId("db-1"), ServerId("cache-1")
OPERATION = Operation(
    OperationId("1"), WEB, "web-1", "az1", "web", 1, (LiveMigrate(WEB, H1, H2),), Cost(8192),
    steal_before=0.24, relieves=("db-1",),
)  # fmt: skip
FLEET = [server("web-1"), server("db-1"), server("cache-1", H2)]
STARVING = {"web-1": load(0.24, 2.1, 3.0), "db-1": load(0.1, 1.2, 3.0), "cache-1": load(0.0, 0.5, 1.0)}
WELL = {"web-1": load(0.01, 0.9, 3.0), "db-1": load(0.0, 0.8, 3.0), "cache-1": load(0.0, 0.5, 1.0)}


def later(loads: Mapping[str, Load], on: Mapping[str, HostName] | None = None, at: datetime = AFTER) -> ComputeSnapshot:
    places = {"web-1": H2, **(on or {})}
    fleet = [replace(s, host=places.get(s.name, s.host)) for s in FLEET]
    return snapshot(fleet, {name: replace(one, at=at) for name, one in loads.items()}, at=AFTER)


def before(loads: Mapping[str, Load] | None = None) -> Before:
    return befores([OPERATION], snapshot(FLEET, STARVING if loads is None else loads))[OPERATION.id]


def judged(after: ComputeSnapshot, seen: Before | None = None) -> Benefit:
    return measure(OPERATION, seen or before(), PAID, MOVED_AT, after, SETTLE_S, DETECT)


def outcome(found: Benefit) -> tuple[str, float | None]:
    return found.verdict, None if found.gain is None else round(found.gain, 6)


def test_a_move_that_helped() -> None:
    found = judged(later(WELL))
    assert outcome(found) == ("helped", 0.23)
    assert found.stolen_before == pytest.approx(1.36)
    assert found.stolen_after == pytest.approx(0.04)
    assert benefit_text(found) == (
        "steal 24 % -> 1 %, load 2.10 -> 0.90, db-1: steal 10 % -> 0.0 %, load 1.20 -> 0.80, "
        "h1 and h2: 1.4 -> 0.0 cores stolen for 8 GiB in 12 s, about 0.4 s down"
    )


def test_helping_those_left_behind_is_helping() -> None:
    aggressor = {**STARVING, "web-1": load(0.0, 0.5, 3.0)}
    found = judged(later(WELL), before(aggressor))
    assert outcome(found) == ("helped", 0.1)


@pytest.mark.parametrize(
    ("steal", "gain", "why"),
    [
        (0.24, 0.0, "steal did not fall"),
        (0.20, 0.0, "steal fell by less than 25 %, and is over the limit still"),
        (0.30, -0.06, "steal rose"),
    ],
)
def test_a_move_that_did_not_help(steal: float, gain: float, why: str) -> None:
    alone = replace(before(), relieved=())
    found = judged(later({**WELL, "web-1": load(steal, 2.0, 3.0)}), alone)
    assert (*outcome(found), found.why) == ("no-help", gain, why)


def test_trouble_that_only_moved_on_is_no_help() -> None:
    found = judged(later({**WELL, "web-1": load(0.6, 3.0, 3.0)}))
    assert outcome(found) == ("no-help", -0.36)


def test_what_is_under_the_limit_again_has_got_better() -> None:
    seen = replace(before({**STARVING, "web-1": load(0.06, 1.2, 3.0)}), relieved=())
    assert judged(later({**WELL, "web-1": load(0.048, 1.0, 3.0)}), seen).verdict == "helped"
    assert judged(later({**WELL, "web-1": load(0.052, 1.0, 3.0)}), seen).verdict == "no-help"


def test_steal_that_would_have_fallen_anyway_is_not_booked() -> None:
    own = judged(later({**WELL, "web-1": load(0.0, 0.2, 1.0), "db-1": load(0.1, 1.2, 3.0)}))
    assert (own.verdict, own.gain) == ("no-help", 0.0)  # db-1 was to be relieved, asks for as much, and is as it was
    calm = judged(later({**WELL, "web-1": load(0.0, 0.5, 2.5), "db-1": load(0.0, 0.5, 2.5)}))
    assert (calm.verdict, calm.gain) == ("unknown", None)
    assert calm.why == "the servers of its old host ask for 17 % less by now, so steal would have fallen anyway"


def test_demand_that_rose_is_no_failure_of_the_move() -> None:
    alone = replace(before(), relieved=())
    own = judged(later({**WELL, "web-1": load(0.24, 2.0, 4.0)}), alone)
    assert (own.verdict, own.why) == (
        "unknown",
        "web-1 asks for 33 % more by now, so its steal says nothing of the move",
    )
    around = judged(later({**WELL, "web-1": load(0.24, 2.0, 3.0), "cache-1": load(0.1, 1.0, 2.0)}), alone)
    assert (around.verdict, around.gain) == ("unknown", None)


@pytest.mark.parametrize(
    "loads",
    [{}, {"web-1": load(nan, 1.0, 1.0)}, {"cache-1": WELL["cache-1"]}],
    ids=["nothing", "not a number", "only others"],
)
def test_no_load_after_is_unknown(loads: Mapping[str, Load]) -> None:
    found = judged(later(loads))
    assert (found.verdict, found.measured) == ("unknown", False)
    assert benefit_text(found).startswith("not measured: no load of after the move is known; it cost 8 GiB in 12 s")


def test_readings_of_before_the_move_do_not_count() -> None:
    assert not judged(later(WELL, at=MOVED_AT + minutes(0.9))).measured
    assert judged(later(WELL, at=MOVED_AT + minutes(1.1))).measured


def test_a_server_that_went_on_is_not_measured() -> None:
    found = judged(later(WELL, {"web-1": HostName("h3")}), replace(before(), relieved=()))
    assert (found.verdict, found.why) == ("unknown", "it was moved on to h3")


def test_moves_ahead_of_trouble_are_not_judged() -> None:
    found = judged(later(WELL), before(WELL))
    assert (found.verdict, found.why, found.gain) == ("unknown", "nobody starved yet", None)


def test_the_plan_alone_compares_steal() -> None:
    found = judged(later(WELL), before_of_plan(OPERATION))
    assert (*outcome(found), found.stolen_before) == ("helped", 0.23, None)
    assert benefit_text(found).startswith("steal 24 % -> 1 %, load 0.90 for 8 GiB")


def test_too_late_is_not_measured() -> None:
    found = not_measured(judged(later(WELL)))
    assert (found.verdict, found.gain, found.measured) == ("unknown", None, False)


def test_both_round_trip_through_json() -> None:
    seen, found = before(), judged(later(WELL))
    assert codec.from_json(Before, codec.to_json(Before, seen), "test") == seen
    assert codec.from_json(Benefit, codec.to_json(Benefit, found), "test") == found
    assert Seen(0.24, 2.1, 3.0) == seen.moved.before
    assert seen.relieved == (Change(DB, "db-1", Seen(0.1, 1.2, 3.0)),)
    assert [o.server for o in seen.on_target] == [CACHE]


def test_the_clouds_record_learns_what_its_moves_brought() -> None:
    near = PastMove(WEB, H1, H2, MOVED_AT + minutes(1))
    others = (
        PastMove(WEB, H2, H1, MOVED_AT),
        PastMove(WEB, H1, H2, MOVED_AT, done=False),
        PastMove(WEB, H1, H2, MOVED_AT + minutes(JOIN_S / 60 + 1)),
        PastMove(DB, H1, H2, MOVED_AT),
    )
    told = with_gains((near, *others), [judged(later(WELL))])
    assert told[0].benefit == pytest.approx(0.23)
    assert (replace(told[0], benefit=None), *told[1:]) == (near, *others)
    assert with_gains((near,), [judged(later({}))]) == (near,)


# What the planner makes of it


def ban(past: PastMove, calm: Calm | None = None) -> Ban | None:
    policy = Policy(calm=calm or Calm())
    seen = snapshot([server("web-1", H2)], {"web-1": load(0.24, 2.1, 3.0)}, past=[past])
    return standing(build_world(seen, policy), policy).ban(0)


def findings(past: PastMove, one: Server | None = None) -> list[str]:
    seen = snapshot([one or server("web-1", H2)], {"web-1": load(0.24, 2.1, 3.0)}, past=[past])
    return [f"{f.code} {f.text}" for f in standing(build_world(seen, Policy()), Policy()).findings()]


@pytest.mark.parametrize(("benefit", "code"), [(None, None), (0.2, None), (0.0, "no-help"), (-0.1, "no-help")])
def test_a_server_rests_longer_after_a_move_that_did_not_help(benefit: float | None, code: str | None) -> None:
    found = ban(PastMove(WEB, H1, H2, NOON - minutes(70), benefit=benefit))
    assert (found.code if found else None) == code
    assert ban(PastMove(WEB, H1, H2, NOON - minutes(361), benefit=benefit)) is None


def test_the_ban_says_why_and_for_how_long() -> None:
    found = ban(PastMove(WEB, H1, H2, NOON - minutes(70), benefit=0.0))
    assert found == Ban(
        "no-help",
        "moved h1 -> h2 1 h 10 min ago and that did not help; it rests for 6 h",
        "Look at its CPU quota and pinning, its own load, and what else runs on h2. "
        "Or wait until 16:50, or lower calm.no_help_cool_down.",
    )


def test_a_shorter_rest_after_no_help_does_not_cut_the_ordinary_one() -> None:
    found = ban(PastMove(WEB, H1, H2, NOON - minutes(30), benefit=0.0), Calm(no_help_cool_down_s=60.0))
    assert found is not None
    assert "it rests for 1 h" in found.why


def test_the_rest_is_known_even_where_no_other_rule_looks_so_far_back() -> None:
    calm = Calm(cool_down_s=60.0, no_return_s=60.0, cycle_window_s=60.0, failed_cool_down_s=60.0)
    assert ban(PastMove(WEB, H1, H2, NOON - minutes(70), benefit=0.0), calm) is not None


def test_a_failed_move_is_not_one_that_did_not_help() -> None:
    assert not PastMove(WEB, H1, H2, NOON, done=False, benefit=0.0).no_help


def test_a_move_that_did_not_help_is_a_finding_while_its_server_rests() -> None:
    past = PastMove(WEB, H1, H2, NOON - minutes(70), benefit=-0.06)
    assert findings(past) == [
        "no-help moved h1 -> h2 at 10:50 and that did not help: steal rose by 6.0 points; "
        "it now has steal 24 %, load 2.10 per vCPU"
    ]
    assert findings(replace(past, benefit=0.2)) == []
    assert findings(replace(past, ended=NOON - minutes(361))) == []
    assert findings(past, server("web-2", H2)) == []
