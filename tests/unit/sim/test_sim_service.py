"""Hosts in and out of service, what moving servers are called, and all of it in a saved state."""

import json
from dataclasses import replace

import pytest

from unit.sim.worlds import A, B, C, D, cloud, host, server
from watari.drivers.sim.cloud import SimCloud
from watari.errors import BadInput, Refused
from watari.model.compute import Host, HostName, ServerId

WEB = ServerId("web-1")


def small() -> SimCloud:
    hosts = [host(A), host(B), host(C), replace(host(D), state="disabled", state_note="new")]
    disks = [server(f"web-{k}", A, disk_gib=20) for k in (1, 2, 3)]
    off = replace(server("off-1", A, disk_gib=20), status="SHUTOFF")
    return cloud([*disks, off, server("db-1", B)], [0.5], hosts=hosts)


def stands(sim: SimCloud, name: HostName) -> tuple[str, str]:
    found: Host | None = sim.host(name)
    assert found is not None
    assert sim.inventory().hosts[name] is found
    return found.state, found.state_note


def test_a_host_goes_out_of_service_and_comes_back() -> None:
    sim = small()
    sim.disable_host(B, "one")
    sim.disable_host(B, "two")
    assert stands(sim, B) == ("disabled", "two")
    with pytest.raises(Refused, match=r"b is disabled \(two\)"):
        sim.start_cold_migration(WEB, B)
    sim.start_live_migration(ServerId("db-1"), C)
    sim.enable_host(B)
    sim.enable_host(B)
    assert stands(sim, B) == ("up", "")
    sim.enable_host(D)
    assert stands(sim, D) == ("up", "")


def test_a_host_that_is_down_stays_down_whatever_is_asked_for() -> None:
    sim = small()
    sim.set_host_state(B, "down", "no power")
    sim.disable_host(B, "broken")
    assert stands(sim, B) == ("down", "broken")
    sim.enable_host(B)
    assert stands(sim, B) == ("down", "no power")
    sim.revive_host(B)
    assert stands(sim, B) == ("up", "")


def test_a_host_comes_back_as_it_went() -> None:
    sim = small()
    sim.disable_host(B, "drain")
    for name, back in ((B, ("disabled", "drain")), (C, ("up", "")), (D, ("disabled", "new"))):
        sim.set_host_state(name, "down", "no power")
        assert stands(sim, name) == ("down", "no power")
        sim.revive_host(name)
        sim.revive_host(name)
        assert stands(sim, name) == back


def test_a_host_that_is_not_there() -> None:
    sim = small()
    assert sim.host(HostName("zz")) is None
    with pytest.raises(Refused, match="no host zz"):
        sim.disable_host(HostName("zz"), "drain")
    with pytest.raises(Refused, match="no host zz"):
        sim.enable_host(HostName("zz"))
    with pytest.raises(BadInput, match="no host zz"):
        sim.revive_host(HostName("zz"))


def test_what_moves_live_is_migrating_however_it_ends() -> None:
    sim = small()
    statuses = []
    for end in ("done", "aborted", "lost"):
        id = sim.start_live_migration(WEB, C if end == "done" else B)
        statuses.append(sim.inventory().servers[WEB].status)
        if end == "aborted":
            sim.abort_migration(id)
        elif end == "lost":
            sim.set_host_state(C, "down")
        sim.advance(60)
        statuses.append(sim.inventory().servers[WEB].status)
    assert statuses == ["MIGRATING", "ACTIVE", "MIGRATING", "ACTIVE", "MIGRATING", "ERROR"]


def test_nothing_is_made_anew_while_nothing_changes() -> None:
    sim = small()
    sim.start_live_migration(WEB, B)
    first = sim.inventory()
    sim.advance(5)
    assert first.flights
    assert sim.inventory().servers is first.servers
    assert sim.inventory().hosts is first.hosts


def in_the_middle() -> SimCloud:
    """One waits to be confirmed, one is copied cold, one is rebuilt, one moves live, hosts are out or down."""
    sim = small()
    sim.start_cold_migration(WEB, C)
    sim.advance(40)
    sim.set_host_state(B, "down", "no power")
    sim.disable_host(B, "broken")
    sim.start_evacuation(ServerId("db-1"))
    sim.disable_host(A, "drain")
    sim.start_cold_migration(ServerId("off-1"), C)
    sim.start_live_migration(ServerId("web-2"), C, 100.0)
    sim.advance(3)
    return sim


def test_a_saved_cloud_goes_on_in_the_middle_of_everything() -> None:
    one = in_the_middle()
    text = json.dumps(one.to_state(), allow_nan=False)
    other = SimCloud.from_state(json.loads(text), one.spec, one._demand)
    assert {s.status for s in other.inventory().servers.values()} == {
        "VERIFY_RESIZE", "RESIZE", "REBUILD", "MIGRATING", "ACTIVE",
    }  # fmt: skip
    for sim in (one, other):
        sim.advance(20)
        found = sim.find_migration(WEB, C, sim.start, "cold")
        assert found is not None
        sim.revert_migration(found.id)
        sim.enable_host(B)
        sim.disable_host(B, "still broken")
        sim.revive_host(B)
        sim.advance(600)
    assert other.inventory() == one.inventory()
    assert stands(other, B) == ("disabled", "still broken")
    assert json.dumps(other.to_state()) == json.dumps(one.to_state())


def test_a_state_of_an_older_version_is_refused_by_its_number() -> None:
    sim = small()
    with pytest.raises(BadInput, match="has format 1, this version reads 2"):
        SimCloud.from_state(sim.to_state() | {"format": 1}, sim.spec, sim._demand)
