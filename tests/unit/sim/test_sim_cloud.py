"""The simulated cloud: refusals, determinism, and going on from a saved state."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from unit.sim.worlds import START, A, B, C, D, cloud, host, server
from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.demand import TraceDemand
from watari.drivers.sim.faults import Faults, HostDeath, MigrationFails, SlowLink, StaleMetrics
from watari.errors import BadInput, Refused
from watari.model.compute import GroupId, GroupPolicy, HostName, ServerGroup, ServerId
from watari.observe.compute import compute_snapshot

SPEC = account_cloud(hosts=12, servers=120, seed=5)
A1 = HostName("az1-h01")
WEB = ServerId("web-1")


def script() -> Faults:
    stale, dead = StaleMetrics(HostName("az1-h02"), 50, 2000), HostDeath(HostName("az3-h04"), 700)
    return Faults([stale, MigrationFails(0.4), SlowLink(A1, 0.02, 50, 90), dead])


def account(faults: Faults | None = None) -> SimCloud:
    return SimCloud(SPEC, demand_for(SPEC, 5, start_s=11.8 * 3600), datetime(2022, 6, 1, tzinfo=UTC), faults=faults)


def ask_for_moves(sim: SimCloud) -> None:
    """Ask for some that will be taken and some that will not."""
    for number, one in enumerate(SPEC.servers[:48]):
        try:
            sim.start_live_migration(one.id, SPEC.hosts[number % 12].name, 40.0 + number)
        except Refused:
            continue


def everything(sim: SimCloud) -> str:
    snapshot = compute_snapshot(sim, sim, sim)
    return (
        f"{snapshot}{sim.flights_progress()}{sim.contention.got.tobytes()!r}{sim.shadow_contention().steal.tobytes()!r}"
    )


def test_the_same_calls_give_the_same_bytes_however_time_is_cut() -> None:
    one, other = account(script()), account(script())
    for sim, spans in ((one, [900.0]), (other, [7.0, 8.0, 0.0, 0.3, 884.7])):
        sim.advance(30.0)
        ask_for_moves(sim)
        for span in spans:
            sim.advance(span)
    assert one.inventory().past
    assert everything(one) == everything(other)


def test_a_saved_cloud_goes_on_as_if_nothing_had_happened() -> None:
    one = account(script())
    one.advance(30)
    ask_for_moves(one)
    one.advance(37)
    assert len(one.flights_progress()) > 3
    assert any(
        A1 in (report.source, report.target) for report in one.flights_progress()
    )  # over a link that is slow now
    text = json.dumps(one.to_state(), allow_nan=False)
    other = SimCloud.from_state(json.loads(text), SPEC, demand_for(SPEC, 5, start_s=11.8 * 3600), faults=script())
    assert everything(other) == everything(one)
    for sim in (one, other):
        sim.advance(400)
        ask_for_moves(sim)
        sim.advance(500)
    assert everything(other) == everything(one)
    assert json.dumps(other.to_state()) == json.dumps(one.to_state())


def test_a_saved_state_of_another_cloud_or_a_damaged_one() -> None:
    state = account().to_state()
    demand = demand_for(SPEC, 5)
    with pytest.raises(BadInput, match="not other"):
        SimCloud.from_state(state, replace(SPEC, name="other"), demand)
    with pytest.raises(BadInput, match="format"):
        SimCloud.from_state(state | {"format": 99}, SPEC, demand)
    for broken in ({}, state | {"fleet": None}, state | {"metering": []}, state | {"moves": [{"id": 1}]}):
        with pytest.raises(BadInput, match="damaged"):
            SimCloud.from_state(broken, SPEC, demand)


def test_refusals_say_what_is_in_the_way() -> None:
    busy = [server("web-1", A, vcpus=8, memory_mib=30000, disk_gib=600), server("web-2", B, memory_mib=30000)]
    busy += [server("web-3", B, memory_mib=10000), server("db-1", C, disk_gib=500)]
    odd = replace(server("gpu-1", A), pinned_by="a PCI device")
    picky = replace(server("ssd-1", A), aggregates=frozenset({"ssd"}))
    tight = replace(host(D), cpu_ratio=0.25)
    sim = cloud([*busy, odd, picky], hosts=[host(A), host(B), host(C), tight, host(HostName("far"), "az2")])
    sim.set_host_state(C, "up")
    cases = {
        (WEB, A): "web-1 is on a already",
        (WEB, B): "b has 25536 MiB of memory free, web-1 needs 30000",
        (WEB, C): "c has 500 GiB of disk free, web-1 needs 600",
        (WEB, D): "d has 6 vCPUs free, web-1 needs 8",
        (WEB, HostName("far")): "far is in zone az2, web-1 is in az1",
        (WEB, HostName("zz")): "no host zz",
        (ServerId("zz"), A): "no server zz",
        (odd.id, B): "it holds a PCI device",
        (picky.id, B): "b is not in the aggregate ssd",
    }
    for (who, where), message in cases.items():
        with pytest.raises(Refused, match=message):
            sim.start_live_migration(who, where)
    sim.set_host_state(C, "draining", "new memory on Friday")
    with pytest.raises(Refused, match=r"c is draining \(new memory on Friday\)"):
        sim.start_live_migration(ServerId("web-3"), C)
    with pytest.raises(Refused, match="bandwidth"):
        sim.start_live_migration(WEB, B, 0.0)


def test_what_is_on_its_way_holds_its_room_at_both_ends() -> None:
    sim = cloud([server(f"web-{k}", on, memory_mib=30000) for k, on in enumerate((A, B, C, D))])
    sim.start_live_migration(ServerId("web-0"), B)
    with pytest.raises(Refused, match="b has 5536 MiB"):
        sim.start_live_migration(ServerId("web-2"), B)
    sim.start_live_migration(ServerId("web-2"), A)  # 65536 MiB hold two
    with pytest.raises(Refused, match="a has 5536 MiB"):
        sim.start_live_migration(ServerId("web-3"), A)


@pytest.mark.parametrize(("policy", "refused"), [("anti-affinity", True), ("soft-anti-affinity", False)])
def test_anti_affinity_counts_members_on_their_way(policy: GroupPolicy, refused: bool) -> None:
    group = ServerGroup(GroupId("g"), "g", policy, frozenset({ServerId("db-1"), ServerId("db-2")}))
    sim = cloud([server("db-1", A), server("db-2", B)], groups=[group])
    sim.start_live_migration(ServerId("db-1"), C)
    for target in (A, C):
        if refused:
            with pytest.raises(Refused, match="anti-affinity group g"):
                sim.start_live_migration(ServerId("db-2"), target)
    if not refused:
        sim.start_live_migration(ServerId("db-2"), C)


def test_affinity_keeps_members_together() -> None:
    group = ServerGroup(GroupId("g"), "g", "affinity", frozenset({ServerId("a-1"), ServerId("a-2")}))
    sim = cloud([server("a-1", A), server("a-2", A)], groups=[group])
    with pytest.raises(Refused, match="affinity group g is on a, not on b"):
        sim.start_live_migration(ServerId("a-1"), B)


def test_past_moves_are_forgotten_after_a_day() -> None:
    sim = cloud([server("web-1", A)])
    id = sim.start_live_migration(WEB, B)
    sim.advance(86_400)
    assert len(sim.inventory().past) == 1
    sim.advance(60)
    assert sim.inventory().past == ()
    with pytest.raises(Refused, match="no migration"):
        sim.migration(id)


def test_loads_are_means_over_the_window() -> None:
    spec = cloud([server("web-1", A)]).spec
    sim = SimCloud(spec, TraceDemand(np.array([[0.2, 0.6]]), 15.0, spec.vcpus), START, meter_window_s=30.0)
    assert sim.loads([WEB])[WEB].cpu_demand == pytest.approx(0.8)
    sim.advance(15)
    load = sim.loads([WEB])[WEB]
    assert load.cpu_demand == pytest.approx(1.6)
    assert load.at == START + timedelta(seconds=15)
    sim.advance(20)
    assert sim.loads([WEB])[WEB].cpu_demand == pytest.approx(2.4)


def test_only_what_moved_is_made_anew() -> None:
    sim = cloud([server("web-1", A), server("web-2", A)])
    before = sim.inventory().servers
    assert sim.inventory().servers is before
    sim.start_live_migration(WEB, B)
    sim.advance(60)
    after = sim.inventory().servers
    assert after[ServerId("web-2")] is before[ServerId("web-2")]
    assert (before[WEB].host, after[WEB].host) == (A, B)
    assert sim.host_index.tolist() == [1, 0]
    with pytest.raises(ValueError, match="read-only"):
        sim.host_index[0] = 0


def test_moving_helps_and_the_twin_does_not_move() -> None:
    sim = cloud([server(f"web-{k}", A, vcpus=16, memory_mib=4000) for k in (1, 2)], [1.0])
    starved = sim.contention.steal.max()
    assert starved == pytest.approx(0.25)
    sim.start_live_migration(WEB, B)
    sim.advance(60)
    assert sim.contention.steal.max() == 0
    assert sim.shadow_contention().steal.max() == pytest.approx(starved)


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_time_goes_forward_by_finite_spans(seconds: float) -> None:
    with pytest.raises(BadInput, match="cannot advance"):
        cloud([server("web-1", A)]).advance(seconds)


def test_a_cloud_that_cannot_be_made() -> None:
    spec = cloud([server("web-1", A)]).spec
    demand = TraceDemand(np.zeros((1, 1)), 300.0, spec.vcpus)
    with pytest.raises(BadInput, match="time zone"):
        SimCloud(spec, demand, datetime(2022, 6, 1))
    with pytest.raises(BadInput, match="over 0"):
        SimCloud(spec, demand, START, step_s=0)
    with pytest.raises(BadInput, match="demand is for 2 servers"):
        SimCloud(spec, TraceDemand(np.zeros((1, 1)), 300.0, np.ones(2)), START)


def test_an_empty_cloud_lives() -> None:
    sim = cloud([])
    sim.advance(60)
    assert sim.loads([]) == {}
    assert sim.inventory().servers == {}
