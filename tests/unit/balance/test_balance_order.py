"""What the planner owes to whoever lists servers in another order, and to hosts where nobody is starved."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import H1, H2, load, server, snapshot
from watari.jobs.balance import plan
from watari.model.compute import Load, Server, ServerId
from watari.model.reasons import Finding
from watari.plan.plan import Plan
from watari.policy.values import Budgets, Detect, Policy

QUIET = load(0.09, 0.95, 6.75)  # steal, and no work that queues up: not starved
FOUR = [server(f"web-{n}", H1, vcpus=8) for n in range(4)]


def over_capacity(
    others: list[Server], loads: dict[str, Load], policy: Policy | None = None, own: Load = QUIET
) -> Plan:
    """27 of 24 cores on h1."""
    return plan(snapshot([*FOUR, *others], {s.name: own for s in FOUR} | loads), policy or Policy())


def still_over(made: Plan) -> list[Finding]:
    return [finding for finding in made.findings if finding.code == "still-over"]


@pytest.mark.parametrize("rule", ["projected", "published"])
def test_the_order_in_which_servers_are_listed_does_not_matter(rule: str) -> None:
    policy = Policy(rule="published" if rule == "published" else "projected", budgets=Budgets(per_plan=1))
    twins = [server(f"web-{n}", H1, vcpus=16) for n in (1, 2)]
    loads = {s.name: load(0.1, 1.1, 14.0) for s in twins}
    one, other = (plan(snapshot(order, loads), policy) for order in (twins, twins[::-1]))
    assert [op.subject for op in one.operations][:1] == ["web-1"]
    assert [(op.subject, op.wave) for op in one.operations] == [(op.subject, op.wave) for op in other.operations]


def test_a_host_over_its_capacity_that_nobody_can_leave_is_mentioned() -> None:
    """No room on h2: nobody is starved by B1, and still somebody should be told."""
    made = over_capacity([server("db-1", H2, vcpus=24)], {"db-1": load(0.0, 0.8, 20.0)})
    assert (made.operations, made.refusals, made.forecast.over_after) == ((), (), 1)
    (found,) = still_over(made)
    assert (found.subject, found.severity) == (H1, "warning")
    assert found.text.startswith(
        "is asked for 27.0 of 24.0 cores and this plan does not relieve it: web-0, web-1, web-2 and 1 more cannot leave"
        " (no host of az1 takes it: 1 would be too full (h2: CPU would reach 112 %"
    )


def test_who_is_pinned_there_is_named_with_the_reason() -> None:
    pinned = [replace(s, pinned_by="a PCI device") for s in FOUR]
    made = plan(snapshot(pinned, {s.name: QUIET for s in pinned}), Policy())
    (found,) = still_over(made)
    assert found.text.endswith("web-0, web-1, web-2 and 1 more cannot leave (cannot move live: a PCI device)")


def test_a_host_that_the_plan_relieves_is_no_finding() -> None:
    made = over_capacity([], {})
    assert len(made.operations) == 1
    assert not still_over(made)


def test_where_somebody_starves_the_refusals_say_it() -> None:
    full = {"db-1": load(0.0, 0.8, 20.0)}
    made = over_capacity([server("db-1", H2, vcpus=24)], full, own=load(0.09, 1.2, 6.75))
    assert {refusal.subject for refusal in made.refusals} == {ServerId(f"web-{n}") for n in range(4)}
    assert not still_over(made)


def test_a_host_that_is_not_to_be_relieved_is_no_finding() -> None:
    made = over_capacity([], {}, Policy(detect=Detect(host_over=None)))
    assert made.forecast.over_after == 1
    assert not still_over(made)
