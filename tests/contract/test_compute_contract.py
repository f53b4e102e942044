"""What every cloud behind Compute does, simulated or real."""

from datetime import timedelta

import pytest

from contract.world import World
from watari.errors import Refused
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId


def host_of(world: World, server: ServerId) -> HostName:
    found = world.compute.locate(server)
    assert found is not None
    return found.host


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


def test_start_returns_at_once_and_the_server_stays_until_it_is_copied(world: World) -> None:
    source, before = host_of(world, world.server), world.clock.now()
    id = world.compute.start_live_migration(world.server, world.target)
    assert world.clock.now() - before < timedelta(seconds=30)
    migration = world.compute.migration(id)
    assert not migration.over
    assert (migration.server, migration.source, migration.target) == (world.server, source, world.target)
    assert host_of(world, world.server) == source


def test_a_move_under_way_is_a_flight_and_holds_its_place(world: World) -> None:
    source = host_of(world, world.server)
    world.compute.start_live_migration(world.server, world.target)
    inventory = world.compute.inventory()
    assert [(f.server, f.source, f.target) for f in inventory.flights] == [(world.server, source, world.target)]
    assert inventory.servers[world.server].host == source


def test_after_the_move_the_server_is_at_the_target_and_the_move_is_past(world: World) -> None:
    source = host_of(world, world.server)
    id = world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert host_of(world, world.server) == world.target
    assert world.compute.migration(id).status == "done"
    move = world.compute.inventory().past[-1]
    assert (move.server, move.source, move.target, move.done) == (world.server, source, world.target, True)
    assert move.ended <= world.clock.now()


def test_an_inventory_does_not_change_after_it_was_read(world: World) -> None:
    before = world.compute.inventory()
    source = before.servers[world.server].host
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert before.servers[world.server].host == source


def test_find_adopts_what_runs_and_what_is_over(world: World) -> None:
    since = world.clock.now()
    id = world.compute.start_live_migration(world.server, world.target)
    running = world.compute.find_migration(world.server, world.target, since)
    assert running is not None
    assert running.id == id
    world.settle()
    over = world.compute.find_migration(world.server, world.target, since)
    assert over is not None
    assert (over.id, over.status) == (id, "done")


def test_find_does_not_adopt_an_older_move_or_one_to_elsewhere(world: World) -> None:
    since = world.clock.now()
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    world.clock.sleep(2.0)
    assert world.compute.find_migration(world.server, world.target, world.clock.now()) is None
    assert world.compute.find_migration(world.server, world.spare, since) is None


def test_find_takes_the_newest_of_two(world: World) -> None:
    since, source = world.clock.now(), host_of(world, world.server)
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    world.compute.start_live_migration(world.server, source)
    world.settle()
    newest = world.compute.start_live_migration(world.server, world.target)
    found = world.compute.find_migration(world.server, world.target, since)
    assert found is not None
    assert found.id == newest


def test_another_zone_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="zone"):
        world.compute.start_live_migration(world.server, world.other_zone)


def test_a_full_host_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.server, world.full)


def test_a_disabled_host_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.server, world.disabled)


def test_a_member_of_an_anti_affinity_group_is_refused_beside_another(world: World) -> None:
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.apart, world.apart_from)


def test_unknown_names_are_refused(world: World) -> None:
    with pytest.raises(Refused):
        world.compute.start_live_migration(ServerId("no-such-server"), world.target)
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.server, HostName("no-such-host"))
    with pytest.raises(Refused):
        world.compute.migration(MigrationId("no-such-migration"))
    with pytest.raises(Refused):
        world.compute.abort_migration(MigrationId("no-such-migration"))


def test_a_refusal_leaves_nothing_behind(world: World) -> None:
    before = world.compute.inventory()
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.server, world.full)
    after = world.compute.inventory()
    assert (after.servers, after.flights, after.past) == (before.servers, before.flights, before.past)


def test_a_second_move_of_the_same_server_is_refused(world: World) -> None:
    world.compute.start_live_migration(world.server, world.target)
    with pytest.raises(Refused):
        world.compute.start_live_migration(world.server, world.spare)


def test_an_aborted_move_leaves_the_server_at_its_source(world: World) -> None:
    source = host_of(world, world.server)
    id = world.compute.start_live_migration(world.server, world.target, 10.0)
    world.clock.sleep(3.0)
    world.compute.abort_migration(id)
    world.settle()
    assert host_of(world, world.server) == source
    assert world.compute.migration(id).status == "aborted"
    assert [(move.server, move.done) for move in world.compute.inventory().past[-1:]] == [(world.server, False)]


def test_a_move_that_is_over_cannot_be_aborted(world: World) -> None:
    id = world.compute.start_live_migration(world.server, world.target)
    world.settle()
    with pytest.raises(Refused):
        world.compute.abort_migration(id)
    assert host_of(world, world.server) == world.target


def test_a_missing_server_is_located_nowhere(world: World) -> None:
    assert world.compute.locate(ServerId("no-such-server")) is None


def test_loads_are_within_their_units_and_never_from_the_future(world: World) -> None:
    world.clock.sleep(60.0)
    load = world.meter.loads([world.server])[world.server]
    assert 0 <= load.steal <= 1
    assert load.load_per_vcpu >= 0
    assert load.cpu_demand >= 0
    assert load.at <= world.clock.now()
    assert load.source


def test_a_server_without_data_is_absent_not_zero(world: World) -> None:
    world.clock.sleep(60.0)
    asked = [world.server, world.silent, ServerId("no-such-server")]
    assert set(world.meter.loads(asked)) == {world.server}


def test_only_what_was_asked_for_is_answered(world: World) -> None:
    assert world.meter.loads([]) == {}
    assert set(world.meter.loads([world.apart])) == {world.apart}


def test_the_clock_has_a_zone_and_sleeping_passes_time(world: World) -> None:
    before = world.clock.now()
    assert before.tzinfo is not None
    world.clock.sleep(1.0)
    assert world.clock.now() - before >= timedelta(seconds=1)
