"""The guard: what may start now, how fast, and every sentence of waiting."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from watari.act.guard import Go, Guard, UnderWay, Wait, foreign
from watari.model.compute import Flight, Host, HostName, ServerId, ZoneName
from watari.plan.plan import Cost, Operation, OperationId
from watari.plan.steps import LiveMigrate
from watari.policy.values import Budgets, Peak, Policy, Window

H1, H2, H3, H4 = (HostName(f"h{n}") for n in (1, 2, 3, 4))
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOSTS = {name: Host(name, ZoneName("az1"), 24, 512 * 1024, 8000, link_mib_s=1000.0) for name in (H1, H2, H3, H4)}
FROM_NOON = Window(time(11, 45), time(12, 45))


def move(source: HostName = H1, target: HostName = H2, role: str = "web", cap: float | None = None) -> Operation:
    step = LiveMigrate(ServerId("web-1"), source, target, cap)
    return Operation(OperationId("1"), "web-1", "web-1", "az1", role, 1, (step,), Cost())


def flying(source: HostName, target: HostName, zone: str = "az1", role: str = "db", rate: float = 100.0) -> UnderWay:
    return UnderWay(source, target, zone, role, rate)


def verdict(budgets: Budgets, *moves: UnderWay, op: Operation | None = None, at: datetime = NOON) -> Go | Wait:
    return Guard(Policy(budgets=budgets), HOSTS).may_start(op or move(), moves, at)


@pytest.mark.parametrize(
    ("budgets", "moves", "why"),
    [
        (Budgets(total=1), [flying(H3, H4, "az2")], "moves in total: 1 of 1"),
        (Budgets(per_zone=1), [flying(H3, H4)], "moves in az1: 1 of 1"),
        (Budgets(per_host_out=1), [flying(H1, H3)], "moves out of h1: 1 of 1"),
        (Budgets(per_host_in=1), [flying(H3, H2)], "moves into h2: 1 of 1"),
        (Budgets(per_role=1), [flying(H3, H4, role="web")], "moves of role web: 1 of 1"),
        (Budgets(link_mib_s=500.0), [flying(H3, H1, rate=450.0)], "link of h1: 450 of 500 MiB/s in use"),
        (Budgets(link_mib_s=500.0), [flying(H2, H3, rate=500.0)], "link of h2: 500 of 500 MiB/s in use"),
        (Budgets(total_mib_s=300.0), [flying(H3, H4, rate=290.0)], "all links: 290 of 300 MiB/s in use"),
        (Budgets(quiet=(FROM_NOON,)), [], "quiet hours 11:45-12:45"),
        (Budgets(peaks=(Peak(FROM_NOON),)), [], "peak 11:45-12:45: no move starts"),
        (
            Budgets(peaks=(Peak(FROM_NOON, moves=1),)),
            [flying(H3, H4, "az2")],
            "moves in total (peak 11:45-12:45): 1 of 1",
        ),
    ],
)
def test_what_it_waits_for(budgets: Budgets, moves: list[UnderWay], why: str) -> None:
    assert verdict(budgets, *moves) == Wait(why)


def test_the_stop_switch_comes_before_everything() -> None:
    guard = Guard(Policy(budgets=Budgets(quiet=(FROM_NOON,))), HOSTS, stopped="maintenance in rack 3")
    assert guard.may_start(move(), [], NOON) == Wait("stopped: maintenance in rack 3")


def test_a_free_cloud_lets_it_go_at_the_links_rate() -> None:
    assert verdict(Budgets()) == Go(800.0)
    assert verdict(Budgets(link_mib_s=None)) == Go(1000.0)


def test_it_gets_what_is_left_of_the_narrowest() -> None:
    assert verdict(Budgets(link_mib_s=500.0), flying(H1, H3, rate=200.0)) == Go(300.0)
    assert verdict(Budgets(total_mib_s=400.0), flying(H3, H4, rate=150.0)) == Go(250.0)
    assert verdict(Budgets(move_mib_s=120.0)) == Go(120.0)
    assert verdict(Budgets(move_mib_s=120.0), op=move(cap=60.0)) == Go(60.0)


def test_a_server_without_a_role_waits_for_no_role() -> None:
    assert isinstance(verdict(Budgets(per_role=1), flying(H3, H4, role=""), op=move(role="")), Go)


def test_windows_hold_for_their_zones_only() -> None:
    elsewhere = Window(FROM_NOON.start, FROM_NOON.end, frozenset({"az2"}))
    assert isinstance(verdict(Budgets(quiet=(elsewhere,), peaks=(Peak(elsewhere),))), Go)


def test_a_peak_shrinks_the_links() -> None:
    budgets = Budgets(link_mib_s=500.0, total_mib_s=200.0, peaks=(Peak(FROM_NOON, moves=4, bandwidth=0.5),))
    assert verdict(budgets) == Go(100.0)
    assert verdict(budgets, at=NOON.replace(hour=13)) == Go(200.0)


def test_windows_are_in_local_time() -> None:
    policy = Policy(timezone=ZoneInfo("Asia/Tokyo"), budgets=Budgets(quiet=(FROM_NOON,)))
    assert isinstance(Guard(policy, HOSTS).may_start(move(), [], NOON), Go)
    assert isinstance(Guard(policy, HOSTS).may_start(move(), [], NOON.replace(hour=3)), Wait)


def test_of_overlapping_peaks_the_strictest_counts() -> None:
    wide = Peak(Window(time(10), time(14)), moves=6)
    assert verdict(Budgets(peaks=(wide, Peak(FROM_NOON)))) == Wait("peak 11:45-12:45: no move starts")


def test_moves_that_others_started_are_told_from_ours() -> None:
    h1, h2 = HostName("h1"), HostName("h2")
    flights = [Flight(ServerId(f"web-{n}"), h1, h2, NOON) for n in (1, 2)]
    ours = [UnderWay(h1, h2, "az1", "web", 100.0)]
    assert [(m.source, m.target, m.rate_mib_s) for m in foreign(flights, ours, HOSTS)] == [(h1, h2, 0.0)]
