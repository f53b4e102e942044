"""A plan goes through JSON and comes back equal; what is no plan is refused with its place and the cure."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings

from strategies import plans
from watari.errors import BadInput
from watari.model.compute import HostName, ServerId
from watari.model.reasons import Candidate, Reason
from watari.plan.codec import content_id, dumps, loads, plan_from_dict, plan_to_dict
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import LiveMigrate

JST = timezone(timedelta(hours=9))
STEP = LiveMigrate(ServerId("id-7"), HostName("h07"), HostName("h22"), 100.0)
OPERATION = Operation(
    id=OperationId("1"), subject="id-7", name="web-7", zone="az1", role="web", wave=1, steps=(STEP,),
    cost=Cost(32768, 0, 90), reasons=(Reason("steal", "steal", "16 %", "5 %"),),
    candidates=(Candidate("h22", 0.86, 0.0, 1, 90112, 0.61, ""),),
)  # fmt: skip
MADE = datetime(2024, 5, 1, 21, 0, tzinfo=JST)
PLAN = Plan("p-1", "balance", "sim", MADE, MADE + timedelta(minutes=30), "s", "q", (OPERATION,))
CURE = "make the plan again, for example with `watari plan balance -o plan.json`"


@settings(max_examples=60, deadline=None)
@given(plans())
def test_a_plan_round_trips_exactly(plan: Plan) -> None:
    assert loads(dumps(plan)) == plan
    assert plan_from_dict(plan_to_dict(plan)) == plan
    assert dumps(loads(dumps(plan))) == dumps(plan)
    assert content_id(loads(dumps(plan))) == content_id(plan)


@settings(max_examples=20, deadline=None)
@given(plans(max_operations=1))
def test_no_plan_that_was_cut_off_is_read(plan: Plan) -> None:
    text = dumps(plan).rstrip()
    for end in range(0, len(text), max(1, len(text) // 40)):
        with pytest.raises(BadInput, match=r"ends early|is no JSON"):
            loads(text[:end])


def test_the_form() -> None:
    value = json.loads(dumps(PLAN))
    assert list(value)[:4] == ["watari_plan", "id", "job", "cloud"]
    assert value["watari_plan"] == 1
    assert value["made_at"] == "2024-05-01T21:00:00+09:00"
    assert value["operations"][0]["steps"] == [
        {"verb": "live-migrate", "server": "id-7", "source": "h07", "target": "h22", "bandwidth_mib_s": 100.0}
    ]
    assert value["refusals"] == []
    assert dumps(PLAN).endswith("}\n")


def test_the_id_follows_from_the_content_alone() -> None:
    assert content_id(PLAN).startswith("p-")
    assert len(content_id(PLAN)) == 10
    in_utc = replace(PLAN, id="other", made_at=MADE.astimezone(UTC))
    assert in_utc == replace(PLAN, id="other")
    assert content_id(in_utc) == content_id(PLAN)
    as_floats = replace(OPERATION, cost=Cost(32768.0, 0.0, 90.0))
    assert content_id(replace(PLAN, operations=(as_floats,))) == content_id(PLAN)
    assert content_id(replace(PLAN, operations=())) != content_id(PLAN)


def test_what_has_no_json_form_is_not_written() -> None:
    with pytest.raises(ValueError, match="nan has no JSON form"):
        dumps(replace(PLAN, operations=(replace(OPERATION, steal_before=float("nan")),)))
    with pytest.raises(ValueError, match="has no time zone"):
        dumps(replace(PLAN, made_at=datetime(2024, 5, 1)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"plan.json ends early, in line 0: it was cut off; {CURE}"),
        ('{"watari_plan": 1,\n"id"', f"plan.json ends early, in line 2: it was cut off; {CURE}"),
        ('{"id": "p-', f"plan.json ends early, in line 1: it was cut off; {CURE}"),
        ("hosts: 3", "plan.json is not a plan file: Expecting value at line 1 column 1 is no JSON; "
                     "make one with `watari plan balance -o plan.json`"),
        ('{"a": 1,, "b": 2}', "plan.json is not a plan file: Expecting property name enclosed in double quotes at "
                              "line 1 column 9 is no JSON; make one with `watari plan balance -o plan.json`"),
        ("[1]", "plan.json is not a plan file; make one with `watari plan balance -o plan.json`"),
        ('{"id": "p-1"}', "plan.json is not a plan file; make one with `watari plan balance -o plan.json`"),
        ('{"watari_snapshot": 1}', "plan.json is a snapshot, not a plan; plan for it: "
                                   "`watari plan balance --snapshot plan.json`"),
        ('{"watari_plan": 2}', f"plan.json is of plan format 2, this Watari reads format 1; {CURE}"),
        ('{"watari_plan": true}', f"plan.json is of plan format True, this Watari reads format 1; {CURE}"),
    ],
)  # fmt: skip
def test_what_is_no_plan_file(text: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        loads(text, "plan.json")
    assert str(error.value) == message


def test_nested_too_deep_and_digits_without_end() -> None:
    for text in ("[" * 100_000, '{"watari_plan": ' + "9" * 5000 + "}"):
        with pytest.raises(BadInput, match=r"plan\.json (is not a plan file|ends early)"):
            loads(text, "plan.json")


def _at(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(plan: dict[str, Any]) -> None:
        place: Any = plan
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_at("surprise", value=1), "has unknown keys surprise (known: id, job, cloud, "),
        (lambda plan: plan.pop("job"), "lacks job"),
        (_at("id", value=7), "id is 7, must be text"),
        (_at("made_at", value="2024-05-01T12:00:00"), 'made_at is "2024-05-01T12:00:00", which has no time zone'),
        (_at("made_at", value="yesterday"), 'made_at is "yesterday", must be a time such as 2024-05-01T12:00:00+09:00'),
        (_at("made_at", value=5), "made_at is 5, must be a time such as"),
        (_at("operations", value={}), "operations is an object, must be a list"),
        (_at("operations", 0, value=[]), "operations[0] is a list, must be an object"),
        (_at("operations", 0, "wave", value=1.0), "operations[0].wave is 1.0, must be a whole number"),
        (_at("operations", 0, "wave", value=True), "operations[0].wave is true, must be a whole number"),
        (_at("operations", 0, "destructive", value="no"), 'operations[0].destructive is "no", must be true or false'),
        (_at("operations", 0, "cost", "seconds", value=None), "operations[0].cost.seconds is null, must be a number"),
        (_at("operations", 0, "cost", "seconds", value=10**400), "must be a finite number"),
        (_at("operations", 0, "cost", "seconds", value=float("nan")), "is nan, must be a finite number"),
        (_at("operations", 0, "steps", 0, value="fly"), 'operations[0].steps[0] is "fly", must be an object'),
        (_at("operations", 0, "steps", 0, "verb", value="fly"),
         'operations[0].steps[0].verb is "fly", must be one of live-migrate'),
        (_at("operations", 0, "steps", 0, "to", value="h"), "operations[0].steps[0] has unknown keys to (known: "),
        (_at("findings", value=[{"subject": "h", "code": "c", "text": "t", "severity": "bad", "help": ""}]),
         'findings[0].severity is "bad", must be one of info, warning, error'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place(change: Callable[[dict[str, Any]], None], words: str) -> None:
    value = plan_to_dict(PLAN)
    change(value)
    with pytest.raises(BadInput) as error:
        plan_from_dict(value, "plan.json")
    assert str(error.value).startswith("plan.json: ")
    assert words in str(error.value)
    assert str(error.value).endswith(CURE)
