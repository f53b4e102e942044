"""Cold moves and evacuations: how long they take, what they stop, and what happens when hosts die meanwhile."""

from dataclasses import replace

import pytest

from unit.sim.worlds import START, A, B, C, D, cloud, host, server
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Faults, MigrationFails
from watari.drivers.sim.migration import REBUILD_S, SETUP_S
from watari.errors import Refused
from watari.model.compute import GroupId, HostName, Server, ServerGroup, ServerId

WEB, DB, OFF = ServerId("web-1"), ServerId("db-1"), ServerId("off-1")


def small(faults: Faults | None = None, disk_gib: int = 10) -> SimCloud:
    """web-1 and off-1 on a, db-1 on b; those that run ask for two cores."""
    off = replace(server("off-1", A, disk_gib=disk_gib), status="SHUTOFF")
    return cloud([server("web-1", A, disk_gib=disk_gib), server("db-1", B), off], [0.5], faults=faults)


def seen(sim: SimCloud, id: ServerId) -> tuple[HostName, str]:
    found = sim.locate(id)
    assert found is not None
    return found.host, found.status


def asked_for(sim: SimCloud) -> list[float]:
    """Cores per host at the next step, without what copying costs."""
    sim.advance(30)
    return [round(float(cores)) for cores in sim.contention.host_demand]


def test_a_cold_move_copies_the_disk_and_no_memory() -> None:
    sim = small()
    id = sim.start_cold_migration(WEB, C)
    sim.advance(SETUP_S + 10.0)
    report = sim.migration(id)
    assert (report.status, report.rate_mib_s) == ("disk", 1000.0)
    assert report.done_mib == pytest.approx(10_000)
    assert report.total_mib == 10 * 1024
    sim.advance(0.3)
    assert sim.migration(id).status == "confirm"
    assert sim.downtime_s(id) == pytest.approx(SETUP_S + 10.24)


def test_without_a_local_disk_it_is_only_set_up() -> None:
    sim = small(disk_gib=0)
    id = sim.start_cold_migration(WEB, C)
    sim.advance(SETUP_S)
    assert sim.migration(id).status == "confirm"


def test_the_guest_is_off_while_it_is_copied_and_runs_on_the_target() -> None:
    sim = small(disk_gib=40)
    assert asked_for(sim) == [2, 2, 0, 0]
    sim.start_cold_migration(WEB, C)
    assert seen(sim, WEB) == (A, "RESIZE")
    sim.advance(15)
    assert sim.contention.got[0] == 0
    assert WEB not in sim.loads([WEB, DB])
    sim.advance(60)
    assert seen(sim, WEB) == (C, "VERIFY_RESIZE")
    assert asked_for(sim) == [0, 2, 2, 0]
    assert WEB in sim.loads([WEB, DB])


def test_one_that_was_off_asks_for_nothing_before_and_after() -> None:
    sim = small()
    for _ in range(2):
        assert asked_for(sim) == [2, 2, 0, 0]
        assert set(sim.loads([WEB, OFF])) == {WEB}
        id = sim.start_cold_migration(OFF, C)
        sim.advance(60)
        assert seen(sim, OFF) == (C, "VERIFY_RESIZE")
        assert asked_for(sim) == [2, 2, 0, 0]
        assert sim.downtime_s(id) == 0
        sim.revert_migration(id)
        assert seen(sim, OFF) == (A, "SHUTOFF")
    assert sim.shadow_contention().host_demand.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize("id", [WEB, OFF])
def test_one_that_breaks_leaves_the_server_as_it_was(id: ServerId) -> None:
    sim = small(Faults([MigrationFails(0.5, id, "no space left")]))
    before = sim.locate(id)
    move = sim.start_cold_migration(id, C)
    sim.advance(60)
    assert (sim.migration(move).status, sim.migration(move).error) == ("failed", "no space left")
    assert sim.locate(id) == before
    assert asked_for(sim) == [2, 2, 0, 0]


def test_what_is_pinned_for_live_moves_goes_cold() -> None:
    sim = cloud([replace(server("gpu-1", A), pinned_by="a PCI device")])
    with pytest.raises(Refused, match="it holds a PCI device"):
        sim.start_live_migration(ServerId("gpu-1"), B)
    sim.start_cold_migration(ServerId("gpu-1"), B)


def test_refusals_of_cold_moves_say_why() -> None:
    sim = small()
    id = sim.start_cold_migration(WEB, C)
    for call, message in (
        (lambda: sim.start_cold_migration(WEB, D), "already migrating to c"),
        (lambda: sim.abort_migration(id), r"no live migration \(cold\)"),
        (lambda: sim.confirm_migration(id), "is under way; only a cold one that has arrived"),
        (lambda: sim.start_live_migration(OFF, C), "off-1 is SHUTOFF; only an ACTIVE server"),
    ):
        with pytest.raises(Refused, match=message):
            call()
    sim.advance(60)
    with pytest.raises(Refused, match="web-1 is VERIFY_RESIZE; only a server that is ACTIVE or SHUTOFF"):
        sim.start_cold_migration(WEB, D)
    sim.confirm_migration(id)
    with pytest.raises(Refused, match="is done; only a cold one"):
        sim.revert_migration(id)


def test_a_member_that_waits_to_be_confirmed_is_at_both_ends() -> None:
    group = ServerGroup(GroupId("g"), "g", "anti-affinity", frozenset({WEB, DB}))
    sim = cloud([server("web-1", A), server("db-1", B)], groups=[group])
    id = sim.start_cold_migration(WEB, C)
    sim.advance(60)
    for end in (A, C):
        with pytest.raises(Refused, match="anti-affinity group g"):
            sim.start_live_migration(DB, end)
    sim.confirm_migration(id)
    sim.start_live_migration(DB, A)


def test_the_death_of_the_source_of_a_copy_fails_it_and_takes_the_server() -> None:
    sim = small()
    id = sim.start_cold_migration(WEB, C)
    sim.advance(5)
    sim.set_host_state(A, "down")
    assert sim.migration(id).error == "a went down"
    assert (seen(sim, WEB), seen(sim, OFF)) == ((A, "ERROR"), (A, "SHUTOFF"))
    with pytest.raises(Refused, match="its host a is down; nothing can be copied from it"):
        sim.start_cold_migration(OFF, C)
    assert asked_for(sim) == [0, 2, 0, 0]


def test_when_the_source_of_an_arrived_one_dies_it_can_only_stay() -> None:
    sim = small()
    id = sim.start_cold_migration(WEB, C)
    sim.advance(60)
    sim.set_host_state(A, "down")
    with pytest.raises(Refused, match="its source a is down"):
        sim.revert_migration(id)
    sim.confirm_migration(id)
    assert seen(sim, WEB) == (C, "ACTIVE")


def test_when_the_target_of_an_arrived_one_dies_it_is_lost_there() -> None:
    sim = small()
    id = sim.start_cold_migration(WEB, C)
    sim.advance(60)
    sim.set_host_state(C, "down")
    assert (sim.migration(id).status, sim.migration(id).error) == ("failed", "c went down")
    assert seen(sim, WEB) == (C, "ERROR")
    sim.start_evacuation(WEB)
    sim.advance(60)
    assert seen(sim, WEB)[1] == "SHUTOFF"


# Evacuations


def test_an_evacuation_copies_nothing_and_the_server_is_off() -> None:
    sim = small()
    sim.set_host_state(A, "down")
    id = sim.start_evacuation(WEB, C)
    assert seen(sim, WEB) == (A, "REBUILD")
    sim.advance(REBUILD_S - 0.1)
    assert not sim.migration(id).over
    sim.advance(0.1)
    report = sim.migration(id)
    assert (report.status, report.kind, report.done_mib) == ("done", "evacuation", 0.0)
    assert seen(sim, WEB) == (C, "SHUTOFF")
    assert asked_for(sim) == [0, 2, 0, 0]
    assert WEB not in sim.loads([WEB, DB])


def test_an_evacuation_is_refused_while_the_host_is_up() -> None:
    sim = small()
    with pytest.raises(Refused, match="its host a is up; migrate it instead"):
        sim.start_evacuation(WEB, C)
    sim.set_host_state(A, "disabled", "drain")
    with pytest.raises(Refused, match="its host a is up"):
        sim.start_evacuation(WEB)


def test_the_emptiest_host_of_the_zone_is_chosen() -> None:
    other, big = host(HostName("far"), "az2"), replace(host(HostName("big")), memory_mib=70_000, state="disabled")
    hosts = [host(A), host(B), host(C), host(D), other, big]
    sim = cloud([*(server(f"web-{k}", A) for k in range(4)), server("db-1", B)], hosts=hosts)
    sim.set_host_state(A, "down")
    for k, chosen in enumerate((C, D, B, C)):  # one that flies counts; of two alike the first by name
        id = sim.start_evacuation(ServerId(f"web-{k}"))
        assert sim.migration(id).target == chosen
    sim.advance(60)
    assert seen(sim, ServerId("web-3")) == (C, "SHUTOFF")


def test_when_no_host_takes_it_the_refusal_says_why() -> None:
    lone: list[Server] = [server("web-1", A, memory_mib=60_000), server("db-1", B, memory_mib=30_000)]
    sim = cloud(lone, hosts=[host(A), host(B)])
    sim.set_host_state(A, "down")
    with pytest.raises(Refused, match="no host of zone az1 takes web-1; the emptiest: b has 35536 MiB"):
        sim.start_evacuation(WEB)
    alone = cloud([server("web-1", A)], hosts=[host(A), host(B, "az2")])
    alone.set_host_state(A, "down")
    with pytest.raises(Refused, match="it has no other host"):
        alone.start_evacuation(WEB)


def test_an_evacuation_that_fails_leaves_the_server_where_it_was() -> None:
    sim = small(Faults([MigrationFails(0.5, WEB, "no image")]))
    sim.set_host_state(A, "down")
    broken = sim.start_evacuation(WEB, C)
    sim.advance(60)
    assert (sim.migration(broken).status, sim.migration(broken).error) == ("failed", "no image")
    assert seen(sim, WEB) == (A, "ERROR")
    to_the_next = sim.start_evacuation(WEB, C)
    sim.set_host_state(C, "down")
    assert sim.migration(to_the_next).error == "c went down"
    assert seen(sim, WEB) == (A, "ERROR")
    found = sim.find_migration(WEB, D, START, "evacuation")
    assert found is not None
    assert found.id == to_the_next
