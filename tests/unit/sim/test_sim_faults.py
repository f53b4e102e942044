"""What the script says goes wrong does, when it says, and nothing else."""

from datetime import timedelta

import pytest

from unit.sim.worlds import START, A, B, C, cloud, server, took_s
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import (
    ApiDown,
    Fault,
    Faults,
    HostDeath,
    MigrationFails,
    MigrationRefused,
    NoMetrics,
    SlowLink,
    StaleMetrics,
)
from watari.errors import BadInput, Refused, Transient
from watari.model.compute import HostName, ServerId

WEB, DB = ServerId("web-1"), ServerId("db-1")


def faulty(*script: Fault) -> SimCloud:
    return cloud([server("web-1", A), server("db-1", B)], [0.5, 0.25], faults=Faults(script))


def test_the_api_is_down_for_a_span() -> None:
    sim = faulty(ApiDown(10, 20, "503 from nova-api"))
    sim.inventory()
    sim.advance(10)
    for call in (sim.inventory, lambda: sim.locate(WEB), lambda: sim.start_live_migration(WEB, B)):
        with pytest.raises(Transient, match="503"):
            call()
    assert sim.loads([WEB])
    sim.advance(10)
    assert not sim.inventory().flights


def test_the_next_calls_fail() -> None:
    sim = faulty()
    sim.faults.fail_next_calls(2)
    for _ in range(2):
        with pytest.raises(Transient):
            sim.inventory()
    sim.inventory()


def test_a_migration_breaks_at_its_share_and_the_next_does_not() -> None:
    sim = faulty(MigrationFails(0.5, WEB, "QEMU died"))
    id = sim.start_live_migration(WEB, C)
    sim.advance(60)
    report = sim.migration(id)
    assert (report.status, report.error) == ("failed", "QEMU died")
    assert report.done_mib == pytest.approx(4000)
    found = sim.locate(WEB)
    assert found is not None
    assert found.host == A
    assert [move.done for move in sim.inventory().past] == [False]
    sim.start_live_migration(WEB, C)
    sim.advance(60)
    assert [move.done for move in sim.inventory().past] == [False, True]


@pytest.mark.parametrize("at", [0.0, 1.0])
def test_the_ends_of_the_share_break_it_too(at: float) -> None:
    sim = faulty(MigrationFails(at))
    id = sim.start_live_migration(WEB, C)
    sim.advance(60)
    assert sim.migration(id).status == "failed"


def test_requests_are_refused_as_often_as_the_script_says() -> None:
    sim = faulty(MigrationRefused("no valid host", WEB, C, times=2))
    sim.start_live_migration(DB, C)
    for _ in range(2):
        with pytest.raises(Refused, match="no valid host"):
            sim.start_live_migration(WEB, C)
    sim.start_live_migration(WEB, C)


def test_a_slow_link_slows_while_it_is_slow() -> None:
    sim = cloud([server("web-1", A)], faults=Faults([SlowLink(A, 0.1, 4, 14)]))
    sim.start_live_migration(WEB, C)
    sim.advance(3)
    assert sim.flights_progress()[0].rate_mib_s == 1000
    sim.advance(2)
    assert sim.flights_progress()[0].rate_mib_s == 100
    sim.advance(100)
    assert took_s(sim, WEB) == pytest.approx(2 + 2 + 10 + (8000 - 2000 - 1000) / 1000, abs=1.0)


def test_a_dead_link_holds_the_move_until_it_is_back() -> None:
    sim = faulty(SlowLink(C, 0.0, 5, 1000))
    sim.start_live_migration(WEB, C)
    sim.advance(999)
    assert sim.flights_progress()[0].rate_mib_s == 0
    sim.advance(60)
    assert not sim.flights_progress()


def test_stale_metrics_keep_value_and_time() -> None:
    sim = faulty(StaleMetrics(A, 100, 400))
    sim.advance(300)
    loads = sim.loads([WEB, DB])
    assert loads[WEB].at == START + timedelta(seconds=90)
    assert loads[DB].at == START + timedelta(seconds=300)
    sim.advance(105)
    assert sim.loads([WEB])[WEB].at == START + timedelta(seconds=405)


def test_a_server_that_comes_to_a_stale_host_has_no_data_there() -> None:
    sim = faulty(StaleMetrics(C, 0))
    sim.start_live_migration(WEB, C)
    sim.advance(120)
    assert WEB not in sim.loads([WEB, DB])


def test_missing_metrics_are_absent() -> None:
    sim = faulty(NoMetrics(A, 50, 100))
    assert set(sim.loads([WEB, DB])) == {WEB, DB}
    sim.advance(60)
    assert set(sim.loads([WEB, DB])) == {DB}
    sim.advance(60)
    assert set(sim.loads([WEB, DB])) == {WEB, DB}


def test_a_dead_host_takes_its_servers_and_moves_with_it() -> None:
    sim = faulty(HostDeath(A, 5.0, "no power"))
    id = sim.start_live_migration(WEB, C)
    sim.advance(20)
    inventory = sim.inventory()
    assert (inventory.hosts[A].state, inventory.hosts[A].state_note) == ("down", "no power")
    assert (inventory.servers[WEB].status, inventory.servers[WEB].host) == ("ERROR", A)
    assert sim.migration(id).error == "a went down"
    assert set(sim.loads([WEB, DB])) == {DB}
    assert inventory.past[-1].ended == START + timedelta(seconds=5)
    with pytest.raises(Refused, match="ERROR"):
        sim.start_live_migration(WEB, C)
    with pytest.raises(Refused, match="no power"):
        sim.start_live_migration(DB, A)
    sim.advance(20)
    assert sim.contention.host_demand[0] == 0


def test_the_death_of_the_target_leaves_the_server_at_its_source() -> None:
    sim = faulty(HostDeath(C, 5.0))
    sim.start_live_migration(WEB, C)
    sim.advance(20)
    web = sim.inventory().servers[WEB]
    assert (web.host, web.status) == (A, "ACTIVE")
    assert [move.done for move in sim.inventory().past] == [False]


def test_an_operator_kills_and_revives_a_host() -> None:
    sim = faulty()
    sim.set_host_state(A, "down", "test")
    sim.set_host_state(A, "up")
    inventory = sim.inventory()
    assert inventory.hosts[A].state == "up"
    assert inventory.servers[WEB].status == "ERROR"
    with pytest.raises(BadInput, match="no host"):
        sim.set_host_state(HostName("zz"), "up")


def test_faults_added_late_work_from_now_on() -> None:
    sim = faulty()
    sim.advance(100)
    sim.faults.add(NoMetrics(A))
    assert set(sim.loads([WEB, DB])) == {DB}
    sim.faults.add(HostDeath(B, 50.0))
    assert sim.inventory().hosts[B].state == "down"


@pytest.mark.parametrize(
    "fault", [ApiDown(5, 5), SlowLink(A, 2.0), MigrationFails(1.5), StaleMetrics(A, 5, 1), SlowLink(A, float("nan"))]
)
def test_faults_without_sense(fault: Fault) -> None:
    with pytest.raises(BadInput):
        Faults([fault])


def test_a_fault_of_an_unknown_host() -> None:
    with pytest.raises(BadInput, match="names host zz"):
        faulty(NoMetrics(HostName("zz")))
