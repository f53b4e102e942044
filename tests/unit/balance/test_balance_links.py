"""Waves keep the budget of the links: what goes in and out of a host shares its link."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import H1, host, load, server, snapshot
from watari.jobs.balance import plan
from watari.jobs.placement.moves import at_once_per_link
from watari.model.compute import Flight, HostName
from watari.plan.plan import Plan
from watari.policy.values import Budgets, Policy

WIDE = Budgets(total=9, per_host_out=4, per_host_in=4, per_zone=9, per_role=9)


def made(budgets: Budgets, *, flying: bool = False) -> Plan:
    """Three of six servers have to leave h1, each to a host of its own; in flight: one more, away from h1."""
    servers = [server(f"web-{n}", H1, vcpus=8) for n in range(1, 7)]
    servers += [server("old-1", H1, vcpus=1)]
    loads = {s.name: load(0.38, 1.5, 7.0) for s in servers[:-1]} | {"old-1": load(0.0, 0.0, 0.0)}
    seen = snapshot(servers, loads, hosts=[host(HostName(f"h{n}")) for n in range(1, 6)])
    if flying:
        seen = replace(seen, flights=(Flight(servers[-1].id, H1, HostName("h5"), seen.taken_at),))
    return plan(seen, Policy(budgets=budgets))


@pytest.mark.parametrize(
    ("link", "move", "at_once"),
    [
        (None, None, None), (None, 100.0, None), (800.0, None, 1), (800.0, 800.0, 1), (800.0, 500.0, 1),
        (800.0, 400.0, 2), (800.0, 100.0, 8), (800.0, 2000.0, 1),
    ],
)  # fmt: skip
def test_so_many_moves_fit_on_a_link(link: float | None, move: float | None, at_once: int | None) -> None:
    assert at_once_per_link(Budgets(link_mib_s=link, move_mib_s=move)) == at_once


@pytest.mark.parametrize(
    ("link", "move", "waves"),
    [(800.0, None, [1, 2, 3]), (800.0, 400.0, [1, 1, 2]), (800.0, 200.0, [1, 1, 1]), (None, None, [1, 1, 1])],
)
def test_moves_that_share_a_link_go_in_waves(link: float | None, move: float | None, waves: list[int]) -> None:
    plan = made(replace(WIDE, link_mib_s=link, move_mib_s=move))
    assert [op.wave for op in plan.operations] == waves
    late = [op.waits_why for op in plan.operations if op.wave > 1]
    assert all(why.startswith("link of h1: ") for why in late)


def test_what_is_under_way_holds_the_link() -> None:
    plan = made(WIDE, flying=True)
    assert [op.wave for op in plan.operations] == [2, 3, 4]
    assert plan.operations[0].waits_why == "link of h1: 1 of 1 at once in wave 1"


def test_a_tighter_budget_of_the_host_is_what_is_named() -> None:
    plan = made(replace(WIDE, per_host_out=1, move_mib_s=200.0))
    assert [op.wave for op in plan.operations] == [1, 2, 3]
    assert plan.operations[1].waits_why == "moves out of h1: 1 of 1 at once in wave 1"
