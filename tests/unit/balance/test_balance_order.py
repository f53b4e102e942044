"""What the planner owes to whoever lists servers in another order, and to hosts where nobody is starved."""

from unit.balance.small_clouds import H1, H2, load, server, snapshot
from watari.jobs.balance import plan
from watari.model.compute import ServerId
from watari.policy.balance import BalancePolicy


def test_the_order_in_which_servers_are_listed_does_not_matter() -> None:
    twins = [server(f"web-{n}", H1, vcpus=16) for n in (1, 2)]
    loads = {s.name: load(0.1, 1.1, 14.0) for s in twins}
    one, other = (plan(snapshot(order, loads), BalancePolicy()) for order in (twins, twins[::-1]))
    assert [op.subject for op in one.operations] == [op.subject for op in other.operations]


def test_a_host_over_its_capacity_that_nobody_can_leave_is_mentioned() -> None:
    """27 of 24 cores on h1, and no room on h2: nobody is starved by B1, and still somebody should be told."""
    servers = [server(f"web-{n}", H1, vcpus=8) for n in range(4)] + [server("db-1", H2, vcpus=24)]
    loads = {s.name: load(0.09, 0.95, 6.75) for s in servers[:4]} | {"db-1": load(0.0, 0.8, 20.0)}
    made = plan(snapshot(servers, loads), BalancePolicy())
    assert made.forecast.over_after == 1
    mentioned = {refusal.subject for refusal in made.refusals} | {finding.subject for finding in made.findings}
    assert mentioned & {H1, *(ServerId(f"web-{n}") for n in range(4))}
