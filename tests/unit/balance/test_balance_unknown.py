"""What is not measured: servers that are off, neighbours without data, meters that cannot be right."""

from dataclasses import replace

from unit.balance.small_clouds import H1, H2, load, server, snapshot
from watari.jobs.balance import plan
from watari.model.compute import Host, HostName
from watari.policy.values import Policy

POLICY = Policy()
BUSY = [server(f"web-{n}", H1, vcpus=8) for n in range(4)]
STARVED = {s.name: load(0.12, 1.02, 7.0) for s in BUSY}


def test_a_server_that_is_off_closes_no_host() -> None:
    off = [replace(server(f"old-{n}", H2), status="SHUTOFF") for n in range(6)]
    made = plan(snapshot([*BUSY, *off], STARVED), POLICY)
    assert [op.target for op in made.operations] == [H2]
    assert not made.findings


def test_a_server_in_error_is_not_taken_for_off() -> None:
    broken = replace(server("old-1", H2), status="ERROR")
    made = plan(snapshot([*BUSY, broken], STARVED), POLICY)
    assert not made.operations
    assert {f.code for f in made.findings} >= {"no-data"}


def test_the_worst_off_gets_away_from_a_neighbour_of_unknown_load() -> None:
    """20 of 24 cores are known; who takes the rest is not. Nothing says that the steal will pass."""
    known = {s.name: load(0.3 + n / 100, 1.5, 5.0) for n, s in enumerate(BUSY)}
    made = plan(snapshot([*BUSY, server("dark-1", H1, vcpus=16)], known), POLICY)
    assert [(op.subject, op.target) for op in made.operations] == [("web-3", H2)]
    assert "worst-off" in made.operations[0].reasons[-1].text
    assert {r.code for r in made.refusals} == {"easing"}


def test_a_quota_on_an_idle_host_is_cured_by_no_move() -> None:
    made = plan(snapshot([server("web-1", H1, vcpus=4)], {"web-1": load(0.5, 2.0, 3.0)}), POLICY)
    assert not made.operations
    assert "CPU quota" in made.refusals[0].help


def test_nobody_asks_for_more_than_their_vcpus() -> None:
    made = plan(snapshot(BUSY, {s.name: load(0.1, 1.2, 500.0) for s in BUSY}), POLICY)
    assert [f.code for f in made.findings if f.code == "odd-load"] == ["odd-load"]
    assert made.forecast.hosts[0].cpu_before <= 32 / 24 + 1e-6


def test_nothing_moves_live_off_a_dead_host() -> None:
    cloud = snapshot(BUSY, STARVED)
    hosts: dict[HostName, Host] = {**cloud.hosts, H1: replace(cloud.hosts[H1], state="down")}
    made = plan(replace(cloud, hosts=hosts), POLICY)
    assert not made.operations
    assert {r.code for r in made.refusals} == {"host-down"}
