"""What a drain does, in which order, how long it takes, and what it says beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from unit.drain.small_drains import (
    H1,
    H2,
    H3,
    NOON,
    drain,
    found,
    host,
    moves,
    refused,
    server,
    snapshot,
    wanting,
)
from watari.errors import BadInput
from watari.jobs.drain import DrainRequest, plan
from watari.jobs.placement.memory import remember
from watari.model.compute import Flight, GroupId, HostName, Load, ServerGroup, ServerId, ZoneName
from watari.plan.render import expected_seconds, render
from watari.plan.steps import DisableHost, EnableHost
from watari.policy.values import Budgets, Destination, Exclude, Policy

CLOUD = snapshot([server("web-1"), server("db-1", memory_gib=64), server("old-1", status="SHUTOFF", local_disk_gib=8)])


def test_disable_then_running_servers_the_quickest_first_then_those_that_are_off_then_enable() -> None:
    made = drain(CLOUD, reason="broken  DIMM\n", then_enable=True)
    reason = "watari drain: broken DIMM (2024-05-01T12:00Z)"
    assert [op.name for op in made.operations] == ["h1", "web-1", "db-1", "old-1", "h1"]
    assert made.operations[0].steps == (DisableHost(H1, reason),)
    assert made.operations[-1].steps == (EnableHost(H1, reason),)
    assert [op.wave for op in made.operations] == [1, 2, 3, 4, 5]
    assert [op.waits_for for op in made.operations] == [(), ("1",), ("1",), ("1",), ("1", "2", "3", "4")]
    seconds = [round(op.cost.seconds) for op in made.operations]
    assert seconds == [0, 23, 87, 12, 0]
    assert expected_seconds(made) == pytest.approx(sum(op.cost.seconds for op in made.operations))
    assert made.expires_at - made.made_at == timedelta(seconds=1800 + round(expected_seconds(made)))


def test_two_at_once_where_a_link_holds_two() -> None:
    made = drain(CLOUD, policy=Policy(budgets=Budgets(move_mib_s=400.0)))
    assert [op.wave for op in moves(made)] == [2, 2, 3]
    assert moves(made)[0].move is not None
    assert all(op.move and op.move.bandwidth_mib_s == 400.0 for op in moves(made))


def test_an_empty_host_is_only_disabled() -> None:
    made = drain(snapshot([server("web-1", H2)]))
    assert [str(op.steps[0]).split(":")[0] for op in made.operations] == ["disable h1"]
    assert render(made).startswith(f"plan drain {made.id}: h1 is empty and would take no more servers\n")


def test_an_unknown_host_is_told_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r'^no host "h11" in this snapshot; did you mean h1\?$'):
        drain(CLOUD, HostName("h11"))
    with pytest.raises(BadInput, match=r"^name at least one host to drain$"):
        plan(CLOUD, Policy(), DrainRequest(()))


def test_a_reason_that_the_cloud_would_cut_off() -> None:
    with pytest.raises(BadInput, match=r"^the reason has 201 characters; the cloud keeps 200: shorten it$"):
        drain(CLOUD, reason="x" * 201)


@pytest.mark.parametrize("state", ["disabled", "draining"])
def test_what_an_earlier_drain_disabled_is_still_ours(state: str) -> None:
    note = "watari drain: broken DIMM (2024-04-30T09:00Z)"
    cloud = snapshot([server("web-1")], [host(H1, state=state, state_note=note), host(H2)])
    made = drain(cloud, reason="another one", then_enable=True)
    assert made.operations[0].steps == (DisableHost(H1, note),)
    assert made.operations[-1].steps == (EnableHost(H1, note),)
    assert found(made) == []


def test_what_somebody_else_disabled_is_emptied_and_not_enabled() -> None:
    cloud = snapshot([server("web-1")], [host(H1, state="disabled", state_note="firmware"), host(H2)])
    made = drain(cloud, then_enable=True)
    assert [op.name for op in made.operations] == ["h1", "web-1"]
    assert found(made) == ["disabled"]
    assert "somebody else: firmware" in made.findings[0].text


def test_a_dead_host_and_a_barred_one_are_left_out_and_receive_nothing() -> None:
    hosts = [host(H1, state="down", state_note="no power"), host(H2), host(H3), host(HostName("h4"))]
    cloud = snapshot([server("web-1"), server("api-1", H2), server("db-1", H3)], hosts)
    made = drain(cloud, H1, H2, H3, storage_why={H2: "", H3: "2 placement groups would be inactive"})
    assert [(op.name, op.target) for op in made.operations] == [("h2", ""), ("api-1", "h4")]
    assert found(made) == ["host-down", "storage"]
    alone = drain(cloud, H3, storage_why={H3: "no"})
    assert (alone.operations, alone.refusals) == ((), ())
    assert render(alone).splitlines()[0].endswith("nothing was planned: h3 holds disks that must not go away: no")


def test_hosts_that_the_storage_was_asked_about_one_by_one() -> None:
    made = drain(CLOUD, H1, H2, storage_why={H1: "", H2: ""})
    assert found(made) == ["storage-together"]
    assert found(drain(CLOUD, H1, storage_why={H1: ""})) == []


def test_hosts_that_are_drained_together_do_not_fill_each_other() -> None:
    servers = [server("web-1"), server("api-1", H2)]
    made = drain(snapshot(servers), H2, H1, H1, then_enable=True)
    assert [op.target for op in moves(made)] == ["h3", "h3"]
    enabling = {str(op.steps[0]): op.waits_for for op in made.operations if isinstance(op.steps[0], EnableHost)}
    of = {op.name: op.id for op in moves(made)}
    assert enabling == {"enable h1": ("1", of["web-1"]), "enable h2": ("2", of["api-1"])}


def test_large_ones_are_placed_first_and_moved_last() -> None:
    """h2 has 100 GiB free, h3 has 40: were the small one placed first, on h2, the large one could not go."""
    hosts = [host(H1), host(H2, memory_mib=100 * 1024), host(H3, memory_mib=40 * 1024)]
    made = drain(snapshot([server("a-1", memory_gib=30), server("b-1", memory_gib=90)], hosts))
    assert [(op.name, op.target) for op in moves(made)] == [("a-1", "h3"), ("b-1", "h2")]


def test_who_may_go_to_few_hosts_is_placed_before_larger_ones() -> None:
    hosts = [
        host(H1, aggregates=frozenset({"gpu"})), host(H2, aggregates=frozenset({"gpu"}), memory_mib=65536), host(H3),
    ]  # fmt: skip
    gpu = server("a-1", memory_gib=32, aggregates=frozenset({"gpu"}))
    made = drain(snapshot([gpu, server("b-1", memory_gib=48), server("c-1", H3, memory_gib=400)], hosts))
    assert {op.name: op.target for op in moves(made)} == {"a-1": "h2", "b-1": "h3"}


def test_members_of_an_anti_affinity_group_part() -> None:
    group = ServerGroup(GroupId("g"), "db", "anti-affinity", frozenset(map(ServerId, ("db-1", "db-2", "db-3"))))
    servers = [server("db-1", status="SHUTOFF"), server("db-2", H2), server("db-3", H3)]
    assert refused(drain(snapshot(servers, groups=[group]))) == {"db-1": "no-destination"}
    assert [op.target for op in moves(drain(snapshot(servers[:2], groups=[group])))] == ["h3"]


def test_unknown_loads_count_as_all_vcpus_everywhere() -> None:
    hosts = [host(H1), host(H2, cpus=12.0)]
    servers = [server("web-1"), server("api-1", H2), server("db-1", H2)]
    silent = {"web-1": None, "api-1": None}
    made = drain(snapshot(servers, hosts, loads=silent))
    assert refused(made) == {}
    (op,) = moves(made)
    assert [reason.rule for reason in op.reasons] == ["no-data"]
    assert (op.steal_before, op.steal_after) == (None, None)
    assert op.candidates[0].cpu_after == pytest.approx((4 + 4 + 1) / 12)
    assert found(made) == ["no-data"]
    tight = drain(snapshot(servers, [host(H1), host(H2, cpus=9.0)], loads=silent))
    assert refused(tight) == {"web-1": "no-destination"}
    assert "With drain.allow_steal: true it goes to a host that is short of CPU." in tight.refusals[0].help


def test_a_silent_host_is_a_destination() -> None:
    cloud = snapshot([server("web-1"), server("api-1", H2)], [host(H1), host(H2)], loads={"api-1": None})
    assert [op.target for op in moves(drain(cloud))] == ["h2"]


def test_steal_at_the_destination_is_a_no_that_the_policy_may_lift() -> None:
    loads = {"api-1": Load(0.2, 1.5, 3.0, NOON)}
    cloud = snapshot([server("web-1"), server("api-1", H2)], [host(H1), host(H2)], loads=loads)
    made = drain(cloud)
    assert refused(made) == {"web-1": "no-destination"}
    assert "steal there is 20 %, limit 2 %" in made.refusals[0].why
    (op,) = moves(drain(cloud, policy=wanting(allow_steal=True)))
    assert (op.target, [reason.rule for reason in op.reasons]) == ("h2", ["steal"])


def test_steal_is_the_last_thing_to_be_conceded() -> None:
    """h2 has no web server and no CPU, h3 has CPU and a web server."""
    hog = replace(server("hog-1", H2), vcpus=24)
    servers = [server("web-1"), hog, server("web-2", H3), server("web-3", HostName("h4"))]
    hosts = [host(H1), host(H2), host(H3), host(HostName("h4"), memory_mib=16384)]
    cloud = snapshot(servers, hosts, loads={"hog-1": Load(0.0, 1.0, 23.0, NOON)})
    (op,) = moves(drain(cloud, policy=wanting(allow_steal=True)))
    assert (op.target, [reason.rule for reason in op.reasons]) == ("h3", ["crowd"])
    (op,) = moves(drain(cloud, policy=wanting(allow_steal=True, crowd_roles=False)))
    assert (op.target, [reason.rule for reason in op.reasons]) == ("h2", ["steal"])


def test_a_role_on_one_host_is_told_and_may_be_forbidden() -> None:
    cloud = snapshot([server("db-1"), server("db-2", H2)], [host(H1), host(H2)])
    made = drain(cloud)
    assert found(made) == ["alone"]
    assert made.findings[0].subject == "h2"
    kept = drain(cloud, policy=wanting(crowd_roles=False))
    assert refused(kept) == {"db-1": "no-destination"}
    assert kept.refusals[0].help.endswith("With drain.crowd_roles: true it goes, and crowds its role.")
    together = snapshot([server("db-1"), server("db-2")], [host(H1), host(H2)])
    assert found(drain(together)) == []  # it was so before


def test_roles_spread_where_they_can() -> None:
    servers = [server(f"web-{n}") for n in range(4)]
    made = drain(snapshot(servers, [host(HostName(f"h{n}")) for n in range(1, 6)]))
    assert len({op.target for op in moves(made)}) == 4
    assert not any(op.reasons for op in moves(made))


def test_moves_under_way_hold_their_budgets_and_are_told() -> None:
    flights = (Flight(ServerId("web-1"), H1, H2, NOON), Flight(ServerId("api-1"), H3, H1, NOON))
    cloud = replace(CLOUD, flights=flights, servers={**CLOUD.servers, ServerId("api-1"): server("api-1", H3)})
    made = drain(cloud)
    assert refused(made) == {"web-1": "moving", "api-1": "arriving"}
    assert [op.wave for op in moves(made)] == [3, 4]
    assert moves(made)[0].waits_why == "link of h1: 1 of 1 at once in wave 2"
    headline = render(made).splitlines()[0]
    assert ": h1 would keep 1 of 4 servers: 2 moves (1 live, 1 cold) in 2 waves" in headline


def test_a_move_from_one_drained_host_to_another_is_told_once() -> None:
    cloud = replace(CLOUD, flights=(Flight(ServerId("web-1"), H1, H2, NOON),))
    assert refused(drain(cloud, H1, H2)) == {"web-1": "arriving"}


def test_no_more_moves_than_a_plan_may_have() -> None:
    made = drain(CLOUD, policy=Policy(budgets=Budgets(per_plan=2)), then_enable=True)
    assert [op.name for op in moves(made)] == ["web-1", "db-1"]
    assert refused(made) == {"old-1": "budget"}
    assert not any(isinstance(op.steps[0], EnableHost) for op in made.operations)


def test_a_zone_without_another_host() -> None:
    hosts = [host(H1), host(H2, zone=ZoneName("az2")), host(H3, state="disabled")]
    made = drain(snapshot([server("web-1")], hosts))
    assert refused(made) == {"web-1": "no-destination"}
    assert found(made) == ["last-of-zone"]
    assert found(drain(snapshot([server("web-1", H2)], hosts, loads={"web-1": None}))) == []  # nobody is on h1


def test_a_zone_that_is_full_afterwards() -> None:
    hosts = [host(H1), host(H2, cpus=4.0, memory_mib=50 * 1024)]
    made = drain(snapshot([server("web-1"), server("api-1", H2, 32)], hosts), policy=wanting(allow_steal=True))
    assert found(made) == ["zone-full"]
    assert "48 GiB of 50 GiB memory" in made.findings[0].text
    busy = {"web-1": Load(0.0, 1.0, 3.9, NOON)}
    made = drain(snapshot([server("web-1"), server("api-1", H2)], hosts, loads=busy), policy=wanting(allow_steal=True))
    assert found(made) == ["zone-full"]
    assert made.findings[0].text == "its other hosts would be asked for 4.9 of 4.0 cores (122 %, limit 95 %)"
    assert (made.forecast.over_before, made.forecast.over_after) == (0, 1)


def test_caution_where_the_past_is_known() -> None:
    """h2 fits on the mean alone; h3 fits with the deviations of demand, so it is preferred although it is fuller."""
    policy = Policy(destination=Destination(caution=3.0))
    hosts = [host(H1), host(H2, cpus=8.0), host(H3, cpus=8.0, memory_mib=0)]
    memory, cloud = None, snapshot([])
    for n in range(8):
        at = NOON + timedelta(minutes=n)
        wild = 1.0 if n % 2 else 4.0
        loads = {"api-1": Load(0.0, 0.5, wild, at), "web-1": Load(0.0, 0.5, wild, at)}
        cloud = replace(snapshot([server("web-1"), server("api-1", H2)], hosts, loads=loads), taken_at=at)
        memory = remember(memory, cloud, policy)
    assert memory is not None
    made = plan(cloud, policy, DrainRequest((H1,)), memory)
    assert [op.target for op in moves(made)] == ["h2"]  # boldly: nobody passes with caution
    assert made.made_at == cloud.taken_at
    with pytest.raises(ValueError, match="the memory belongs to another snapshot"):
        plan(CLOUD, policy, DrainRequest((H1,)), memory)


def test_an_excluded_host_receives_nothing_even_when_steal_is_allowed() -> None:
    policy = replace(wanting(allow_steal=True), exclude=Exclude(hosts=("h2",)))
    made = drain(snapshot([server("web-1")], [host(H1), host(H2)]), policy=policy)
    assert refused(made) == {"web-1": "no-destination"}


def test_when_steal_is_allowed_all_else_that_may_give_way_does() -> None:
    servers = [server("db-1"), server("db-2", H2)]
    loads = {"db-2": Load(0.2, 1.5, 3.0, NOON)}
    cloud = snapshot(servers, [host(H1), host(H2)], loads=loads)
    assert [op.target for op in moves(drain(cloud, policy=wanting(allow_steal=True)))] == ["h2"]
    assert refused(drain(cloud, H1, H2, policy=wanting(allow_steal=True))) == dict.fromkeys(
        ("db-1", "db-2"), "no-destination"
    )


def test_an_old_note_on_a_host_in_service_is_no_reason() -> None:
    hosts = [host(H1, state_note="watari drain: long ago (2024-01-01T00:00Z)"), host(H2)]
    made = drain(snapshot([server("web-1")], hosts), reason="firmware")
    assert made.operations[0].steps == (DisableHost(H1, "watari drain: firmware (2024-05-01T12:00Z)"),)


def test_equal_arguments_equal_plans() -> None:
    assert drain(CLOUD, then_enable=True) == drain(CLOUD, then_enable=True)
    assert drain(CLOUD) != drain(CLOUD, reason="other")
