"""What every cloud behind Compute, Meter and Clock does, simulated or real: reading it, and its hosts."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from contract.world import World
from watari.drivers.snapshot_file import read_snapshot, write_snapshot
from watari.errors import Refused, Transient
from watari.model.compute import HostName, ServerId
from watari.observe.compute import compute_snapshot

# Reading


def test_the_inventory_names_things_by_their_keys(world: World) -> None:
    inventory = world.compute.inventory()
    assert all(name == host.name for name, host in inventory.hosts.items())
    assert all(id == server.id for id, server in inventory.servers.items())
    assert all(server.host in inventory.hosts for server in inventory.servers.values())
    assert all(member in inventory.servers for group in inventory.groups.values() for member in group.members)


def test_every_server_is_in_the_inventory_however_it_is_paged(world: World) -> None:
    inventory = world.compute.inventory()
    assert inventory.servers == world.compute.inventory().servers
    for id, server in inventory.servers.items():
        assert world.compute.locate(id) == server


def test_every_host_is_in_the_inventory_as_it_is_asked_for_alone(world: World) -> None:
    for name, host in world.compute.inventory().hosts.items():
        assert world.compute.host(name) == host


def test_the_servers_of_this_world_are_as_the_tests_need_them(world: World) -> None:
    assert {id: world.locate(id).status for id in (world.server, world.apart, world.frail, world.off)} == {
        world.server: "ACTIVE",
        world.apart: "ACTIVE",
        world.frail: "ACTIVE",
        world.off: "SHUTOFF",
    }
    assert world.compute.flights() == ()


def test_what_was_read_can_be_written_to_a_file_and_read_again(world: World, tmp_path: Path) -> None:
    snapshot = compute_snapshot(world.compute, world.meter, world.clock)
    write_snapshot(snapshot, tmp_path / "cluster.json")
    again = read_snapshot(tmp_path / "cluster.json")[0]
    assert (again.hosts, again.servers, again.groups) == (snapshot.hosts, snapshot.servers, snapshot.groups)
    assert again.loads.keys() == snapshot.loads.keys()


def test_a_missing_server_is_located_nowhere(world: World) -> None:
    assert world.compute.locate(ServerId("no-such-server")) is None


def test_a_missing_host_is_unknown(world: World) -> None:
    assert world.compute.host(HostName("no-such-host")) is None


# Hosts that are taken out of service


def test_a_disabled_host_says_so_and_why(world: World) -> None:
    world.compute.disable_host(world.target, "watari: drain for new memory")
    host = world.host(world.target)
    assert (host.state, host.state_note) == ("disabled", "watari: drain for new memory")
    assert world.compute.inventory().hosts[world.target] == host


def test_disabling_again_is_harmless_and_the_newest_reason_counts(world: World) -> None:
    for reason in ("first", "first", "second"):
        world.compute.disable_host(world.target, reason)
        host = world.host(world.target)
        assert (host.state, host.state_note) == ("disabled", reason)


def test_enabling_takes_the_reason_away_and_is_harmless_again(world: World) -> None:
    world.compute.disable_host(world.target, "for a moment")
    for _ in range(2):
        world.compute.enable_host(world.target)
        host = world.host(world.target)
        assert (host.state, host.state_note) == ("up", "")


def test_servers_stay_on_a_disabled_host_and_can_leave_it(world: World) -> None:
    before = world.locate(world.server)
    world.compute.disable_host(before.host, "drain")
    assert world.locate(world.server) == before
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert world.where(world.server) == world.target


def test_nothing_comes_to_a_host_while_it_is_disabled(world: World) -> None:
    world.compute.disable_host(world.target, "drain")
    assert world.refused(lambda: world.compute.start_live_migration(world.server, world.target))
    assert world.refused(lambda: world.compute.start_cold_migration(world.server, world.target))
    world.compute.enable_host(world.target)
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert world.where(world.server) == world.target


def test_no_other_host_is_touched(world: World) -> None:
    before = dict(world.compute.inventory().hosts)
    world.compute.disable_host(world.target, "drain")
    after = dict(world.compute.inventory().hosts)
    assert after.pop(world.target) != before.pop(world.target)
    assert after == before


def test_a_host_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        world.compute.disable_host(HostName("no-such-host"), "drain")
    with pytest.raises(Refused):
        world.compute.enable_host(HostName("no-such-host"))


def test_a_dead_host_is_down_and_hides_no_other(world: World) -> None:
    before, host = world.compute.inventory(), world.where(world.frail)
    with world.dead(host):
        during = world.compute.inventory()
        assert (during.hosts[host].state, world.host(host).state) == ("down", "down")
        assert {name: it for name, it in during.hosts.items() if name != host} == {
            name: it for name, it in before.hosts.items() if name != host
        }
        others = {id: server for id, server in before.servers.items() if server.host != host}
        assert {id: during.servers.get(id) for id in others} == others
        assert {id: world.compute.locate(id) for id in others} == others
    assert world.host(host).state == "up"


def test_a_server_of_a_dead_host_is_not_called_gone(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        if "memory of dead hosts" not in world.lacks:
            assert world.where(world.frail) == host
            return
        asks: tuple[Callable[[], object], ...] = (
            lambda: world.compute.locate(world.frail),
            lambda: world.compute.start_live_migration(world.frail, world.target),
            lambda: world.compute.disable_host(host, "broken"),
            lambda: world.compute.enable_host(host),
        )
        for ask in asks:
            with pytest.raises(Transient, match=host):
                ask()


@pytest.mark.needs("memory of dead hosts")
def test_a_dead_host_is_down_and_disabling_does_not_hide_it(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        assert world.host(host).state == "down"
        world.compute.disable_host(host, "broken: wait for the vendor")
        assert (world.host(host).state, world.host(host).state_note) == ("down", "broken: wait for the vendor")
        world.compute.enable_host(host)
        assert world.host(host).state == "down"
    assert world.host(host).state == "up"


@pytest.mark.needs("memory of dead hosts")
def test_a_host_that_comes_back_is_still_disabled(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        world.compute.disable_host(host, "broken")
    assert (world.host(host).state, world.host(host).state_note) == ("disabled", "broken")


# Loads and time


def test_loads_are_within_their_units_and_never_from_the_future(world: World) -> None:
    load = world.measured(world.server)
    assert 0 <= load.steal <= 1
    assert load.load_per_vcpu >= 0
    assert load.cpu_demand >= 0
    assert load.at <= world.clock.now()
    assert load.source


def test_a_server_without_data_is_absent_not_zero(world: World) -> None:
    world.measured(world.server)
    asked = [world.server, world.silent, world.off, ServerId("no-such-server")]
    assert set(world.meter.loads(asked)) == {world.server}


def test_only_what_was_asked_for_is_answered(world: World) -> None:
    world.measured(world.apart)
    assert world.meter.loads([]) == {}
    assert set(world.meter.loads([world.apart])) == {world.apart}


def test_the_clock_has_a_zone_and_sleeping_passes_time(world: World) -> None:
    before = world.clock.now()
    assert before.tzinfo is not None
    world.clock.sleep(1.0)
    assert world.clock.now() - before >= timedelta(seconds=1)
