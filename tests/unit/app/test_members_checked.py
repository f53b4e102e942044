"""A plan that would move a member in the middle of its work is stale when it is applied."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from stage.cast import Cast
from stage.directives import DAY
from watari.app.runs import check_members
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.orchestrator import Node, SimOrchestrator
from watari.errors import Stale, Transient
from watari.jobs.balance import plan
from watari.model.compute import Server, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy

WEB = ServerId("web-1")


def cloud() -> SimCloud:
    cast_ = Cast()
    cast_.add_hosts("az1", ["h1", "h2", "h3"], {})
    cast_.add_servers("h1", "web-1", "8", "8G", {"demand": "7"})
    cast_.add_servers("h1", "web-2..4", "8", "32G", {"demand": "7"})
    return SimCloud(cast_.spec(), cast_.scripted(), DAY)


def planned(sim: SimCloud, *orchestrators: SimOrchestrator) -> Plan:
    made = plan(compute_snapshot(sim, sim, sim, orchestrators), Policy())
    assert [op.subject for op in made.operations] == [WEB]
    return made


def test_a_plan_that_takes_its_members_out_is_fresh() -> None:
    sim = cloud()
    k8s = SimOrchestrator("k8s", sim, {"n1": Node(WEB)})
    check_members(planned(sim, k8s), sim.inventory(), [k8s])


def test_a_plan_that_does_not_know_of_a_member_is_stale() -> None:
    sim = cloud()
    k8s, lb = SimOrchestrator("k8s", sim, {"n1": Node(WEB)}), SimOrchestrator("lb", sim, {"s1": Node(WEB)})
    with pytest.raises(Stale, match="web-1 is s1 of lb, and the plan does not take it out first: plan again"):
        check_members(planned(sim, k8s), sim.inventory(), [k8s, lb])


def test_members_that_do_not_move_do_not_matter() -> None:
    sim = cloud()
    check_members(planned(sim), sim.inventory(), [SimOrchestrator("k8s", sim, {"n2": Node(ServerId("web-2"))})])


def test_an_orchestrator_that_does_not_answer_is_no_orchestrator_without_members() -> None:
    sim = cloud()
    made, k8s = planned(sim), SimOrchestrator("k8s", sim, {"n1": Node(WEB)}, down=True)
    with pytest.raises(Transient):
        check_members(made, sim.inventory(), [k8s])


def test_servers_of_one_name_are_all_members() -> None:
    from watari.drivers.orchestrators.names import called

    (one,) = (server for server in cloud().inventory().servers.values() if server.id == WEB)
    twins: Collection[Server] = [one, replace(one, id=ServerId("twin"))]
    found: Mapping[str, list[ServerId]] = called(twins)
    assert found == {"web-1": [WEB, ServerId("twin")]}
