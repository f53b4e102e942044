"""Plans whose values have the right types and that still cannot be carried out are refused."""

from dataclasses import replace

import pytest

from unit.plan.test_plan_render import PLAN
from watari.errors import BadInput
from watari.plan.checks import checked
from watari.plan.plan import Plan

FIRST, SECOND = PLAN.operations


def test_a_good_plan_is_itself() -> None:
    assert checked(PLAN, "plan.json") is PLAN


@pytest.mark.parametrize("id", ["", "p-1", "p-1A2B3C4D", "p-1a2b3c4d\n", "../../p-1a2b3c4d", "p-1a2b3c4d/x"])
def test_an_id_names_a_file_and_nothing_else(id: str) -> None:
    with pytest.raises(BadInput, match=r"plan\.json: id [^;]* hexadecimal digits; make the plan again"):
        checked(replace(PLAN, id=id), "plan.json")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (replace(PLAN, operations=(FIRST, replace(SECOND, id=FIRST.id))), '2 operations have the id "1"'),
        (replace(PLAN, operations=(FIRST, replace(SECOND, steps=()))), 'operation "2" has no steps'),
    ],
)
def test_operations_are_told_apart_and_do_something(plan: Plan, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        checked(plan, "plan.json")
