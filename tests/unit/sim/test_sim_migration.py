"""Moves take the time that disks, memory, links and busy guests make them take."""

import math

import pytest

from unit.sim.worlds import A, B, C, D, cloud, host, server, took_s
from watari.drivers.sim.links import fair_rates
from watari.drivers.sim.migration import DOWNTIME_S, SETUP_S, WORKING_SET, estimate_s
from watari.errors import Refused
from watari.model.compute import ServerId
from watari.ports import MigrationId


def moved_s(busy: float = 0.0, cap: float | None = None, disk_gib: int = 0, vcpus: int = 4) -> float:
    sim = cloud([server("web-1", A, vcpus=vcpus, disk_gib=disk_gib)], [busy])
    sim.start_live_migration(ServerId("web-1"), B, cap)
    sim.advance(86_000)
    return took_s(sim, "web-1")


def test_an_idle_server_takes_its_memory_over_the_link() -> None:
    assert moved_s() == pytest.approx(SETUP_S + 8000 / 1000, abs=DOWNTIME_S)


def test_the_disk_is_copied_first() -> None:
    sim = cloud([server("web-1", A, disk_gib=10)])
    id = sim.start_live_migration(ServerId("web-1"), B)
    seen = []
    for _ in range(24):
        report = sim.migration(id)
        seen.append((report.status, report.done_mib <= 10 * 1024))
        sim.advance(1.0)
    words = [word for word, _ in seen]
    assert words == sorted(words, key=["queued", "disk", "memory", "done"].index)
    assert set(words) == {"queued", "disk", "memory", "done"}
    assert all(within == (word in ("queued", "disk")) for word, within in seen)


def test_the_rate_limit_is_kept() -> None:
    sim = cloud([server("web-1", A)])
    id = sim.start_live_migration(ServerId("web-1"), B, 100.0)
    sim.advance(SETUP_S + 10)
    assert sim.migration(id).rate_mib_s == 100.0
    assert sim.migration(id).done_mib == pytest.approx(1000)
    assert moved_s(cap=100.0) == pytest.approx(SETUP_S + 80, rel=0.06)


def test_a_busy_guest_takes_longer_and_is_finally_throttled() -> None:
    idle, busy, frantic = (moved_s(busy=share, cap=200.0, vcpus=8) for share in (0.0, 0.3, 1.0))
    assert idle < busy < frantic
    assert frantic < 20 * idle  # 8 cores dirty more than the copy carries: only throttling lets it end


def test_a_guest_that_outruns_even_throttling_fails_and_stays() -> None:
    sim = cloud([server("web-1", A)], [1.0])
    id = sim.start_live_migration(ServerId("web-1"), B, 0.5)
    sim.advance(20 * 86_400.0)
    assert sim.inventory().servers[ServerId("web-1")].host == A
    assert id not in [flight.id for flight in sim.flights_progress()]


@pytest.mark.parametrize("busy", [0.0, 0.5, 1.0])
def test_the_stop_is_recorded_and_within_what_is_allowed(busy: float) -> None:
    sim = cloud([server("web-1", A)], [busy])
    id = sim.start_live_migration(ServerId("web-1"), B, 300.0)
    assert sim.downtime_s(id) == 0
    sim.advance(600)
    assert 0 < sim.downtime_s(id) <= DOWNTIME_S


def test_two_moves_over_one_link_take_twice_as_long() -> None:
    sim = cloud([server("web-1", A), server("web-2", A), server("web-3", C)])
    for name, target in (("web-1", B), ("web-2", D)):
        sim.start_live_migration(ServerId(name), target)
    sim.advance(SETUP_S + 1)
    assert [report.rate_mib_s for report in sim.flights_progress()] == [500, 500]
    sim.advance(600)
    sim.start_live_migration(ServerId("web-3"), A)
    sim.advance(600)
    alone = took_s(sim, "web-3") - SETUP_S
    assert took_s(sim, "web-1") - SETUP_S == pytest.approx(2 * alone, rel=0.05)


def test_a_link_that_falls_free_is_used_by_the_rest() -> None:
    sim = cloud([server("small", A, memory_mib=4000), server("large", A, memory_mib=12000)])
    for name in ("small", "large"):
        sim.start_live_migration(ServerId(name), B)
    sim.advance(600)
    assert took_s(sim, "large") == pytest.approx(SETUP_S + 16, rel=0.05)


@pytest.mark.parametrize(("cap", "busy", "disk_gib"), [(1000.0, 0.0, 0), (200.0, 0.5, 10), (100.0, 1.0, 0)])
def test_the_estimate_is_what_happens(cap: float, busy: float, disk_gib: int) -> None:
    value = server("web-1", A, disk_gib=disk_gib)
    assert estimate_s(value, cap, busy * value.vcpus) == pytest.approx(moved_s(busy, cap, disk_gib))


def test_a_move_without_bandwidth_never_ends() -> None:
    assert estimate_s(server("web-1", A), 0.0, 1.0) == math.inf
    assert estimate_s(server("web-1", A), 0.1, 4.0) == math.inf


def test_no_round_dirties_more_than_the_working_set() -> None:
    sim = cloud([server("web-1", A)], [1.0])
    id = sim.start_live_migration(ServerId("web-1"), B, 50.0)
    sim.advance(SETUP_S + 8000 / 50 + 1)
    assert sim.migration(id).total_mib <= 8000 * (1 + WORKING_SET) + 50


def test_copying_costs_cpu_on_both_hosts_and_makes_steal() -> None:
    full = [server(f"web-{k}", on, vcpus=12, memory_mib=8000, disk_gib=100) for k, on in enumerate((A, A, B, B))]
    sim = cloud(full, [1.0])
    assert sim.contention.steal.max() == 0
    sim.start_live_migration(full[0].id, C, 800.0)
    sim.advance(60)
    demand = dict(zip(sim.host_names, sim.contention.host_demand.tolist(), strict=True))
    assert demand["a"] == pytest.approx(24 + 1.0)
    assert demand["c"] == pytest.approx(0.5)
    assert sim.contention.steal[0] == pytest.approx(1 - 24 / 25)
    assert sim.shadow_contention().steal.max() == 0


def test_all_that_was_copied_is_charged_to_the_cpus() -> None:
    sim = cloud([server("web-1", A)])
    id = sim.start_live_migration(ServerId("web-1"), B)
    cores = 0.0
    for _ in range(8):
        sim.advance(15)
        cores += float(sim.contention.host_demand[0])
    assert cores * 15 * 800 == pytest.approx(sim.migration(id).done_mib)


def test_a_move_is_capped_by_the_slower_end() -> None:
    sim = cloud([server("web-1", A)], hosts=[host(A), host(B, link_mib_s=250.0)])
    sim.start_live_migration(ServerId("web-1"), B)
    sim.advance(SETUP_S + 1)
    assert sim.flights_progress()[0].rate_mib_s == 250.0


@pytest.mark.parametrize(
    ("pairs", "caps", "rates"),
    [
        ([], [], []),
        ([(0, 1)], [math.inf], [100]),
        ([(0, 1), (0, 2)], [math.inf, math.inf], [50, 50]),
        ([(0, 1), (0, 2)], [20, math.inf], [20, 80]),
        ([(0, 1), (2, 1), (2, 3)], [math.inf] * 3, [50, 50, 50]),
        ([(0, 1), (0, 1), (0, 2), (3, 2)], [math.inf] * 4, [100 / 3, 100 / 3, 100 / 3, 200 / 3]),
        ([(0, 1), (1, 0)], [math.inf] * 2, [100, 100]),
    ],
)
def test_links_are_shared_max_min_fair(pairs: list[tuple[int, int]], caps: list[float], rates: list[float]) -> None:
    assert fair_rates(pairs, caps, [100.0] * 4, [100.0] * 4) == pytest.approx(rates)


def test_an_unknown_migration_has_no_downtime() -> None:
    with pytest.raises(Refused):
        cloud([server("web-1", A)]).downtime_s(MigrationId("none"))
