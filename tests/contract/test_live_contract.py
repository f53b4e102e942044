"""What every cloud does with live moves, simulated or real."""

from datetime import timedelta
from functools import partial

import pytest

from contract.world import World
from watari.errors import Refused
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId


def test_start_returns_at_once_and_the_server_stays_until_it_is_copied(world: World) -> None:
    source, before = world.where(world.server), world.clock.now()
    with world.held():
        id = world.compute.start_live_migration(world.server, world.target)
        assert world.clock.now() - before < timedelta(seconds=30)
        migration = world.compute.migration(id)
        assert not migration.over
        assert migration.kind == "live"
        assert (migration.server, migration.source, migration.target) == (world.server, source, world.target)
        assert world.where(world.server) == source


def test_a_server_that_moves_is_migrating_and_active_again_after(world: World) -> None:
    with world.held():
        world.compute.start_live_migration(world.server, world.target)
        assert world.locate(world.server).status == "MIGRATING"
        assert world.compute.inventory().servers[world.server].status == "MIGRATING"
    world.settle()
    assert world.locate(world.server).status == "ACTIVE"
    assert world.compute.inventory().servers[world.server].status == "ACTIVE"


def test_a_move_under_way_is_a_flight_and_its_server_counts_at_the_source(world: World) -> None:
    source = world.where(world.server)
    with world.held():
        world.compute.start_live_migration(world.server, world.target)
        inventory = world.compute.inventory()
        assert [(f.server, f.source, f.target) for f in inventory.flights] == [(world.server, source, world.target)]
        assert world.compute.flights() == inventory.flights
        assert inventory.servers[world.server].host == source
    world.settle()
    assert world.compute.flights() == ()


def test_a_flight_holds_its_place_at_the_target(world: World) -> None:
    with world.held():
        id = world.compute.start_live_migration(world.server, world.snug)
        assert world.refused(lambda: world.compute.start_cold_migration(world.off, world.snug))
    assert world.arrived(id).status == "done"


def test_a_flight_holds_its_place_at_the_target_against_other_live_moves(world: World) -> None:
    with world.held():
        id = world.compute.start_live_migration(world.server, world.snug)
        assert world.refused(lambda: world.compute.start_live_migration(world.apart, world.snug))
    assert world.arrived(id).status == "done"
    assert world.refused(lambda: world.compute.start_live_migration(world.apart, world.snug))


def test_after_the_move_the_server_is_at_the_target_and_the_move_is_past(world: World) -> None:
    source = world.where(world.server)
    id = world.compute.start_live_migration(world.server, world.target)
    assert world.arrived(id).status == "done"
    assert world.where(world.server) == world.target
    move = world.past_of(world.server)[-1]
    assert (move.source, move.target, move.done) == (source, world.target, True)
    assert move.ended <= world.clock.now()


def test_a_move_is_past_though_nobody_has_asked_how_it_ended(world: World) -> None:
    since, source = world.moment(), world.where(world.server)
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    world.wait("the move to be past", lambda: any(move.ended >= since for move in world.past_of(world.server)))
    move = world.past_of(world.server)[-1]
    assert (move.source, move.target, move.done) == (source, world.target, True)


def test_a_move_is_known_after_its_server_has_moved_on(world: World) -> None:
    source = world.where(world.server)
    first = world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert world.arrived(world.compute.start_live_migration(world.server, world.spare)).status == "done"
    told = world.compute.migration(first)
    assert (told.status, told.source, told.target) == ("done", source, world.target)


def test_an_inventory_does_not_change_after_it_was_read(world: World) -> None:
    before = world.compute.inventory()
    server = before.servers[world.server]
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert before.servers[world.server] == server


def test_find_adopts_what_runs_and_what_is_over(world: World) -> None:
    since = world.moment()
    with world.held():
        id = world.compute.start_live_migration(world.server, world.target)
        running = world.compute.find_migration(world.server, world.target, since)
    assert running is not None
    assert running.id == id
    world.settle()
    over = world.compute.find_migration(world.server, world.target, since)
    assert over is not None
    assert (over.id, over.status) == (id, "done")


def test_find_does_not_adopt_an_older_move_or_one_to_elsewhere_or_of_another_kind(world: World) -> None:
    since = world.moment()
    world.compute.start_live_migration(world.server, world.target)
    world.settle()
    assert world.compute.find_migration(world.server, world.target, world.moment()) is None
    assert world.compute.find_migration(world.server, world.spare, since) is None
    assert world.compute.find_migration(world.server, world.target, since, "cold") is None
    assert world.compute.find_migration(world.server, world.target, since, "evacuation") is None
    assert world.compute.find_migration(ServerId("no-such-server"), world.target, since) is None


def test_find_takes_the_newest_of_two(world: World) -> None:
    since, source = world.moment(), world.where(world.server)
    for target in (world.target, source):
        world.compute.start_live_migration(world.server, target)
        world.settle()
    newest = world.compute.start_live_migration(world.server, world.target)
    found = world.compute.find_migration(world.server, world.target, since)
    assert found is not None
    assert found.id == newest


def test_a_host_that_cannot_take_it_is_refused(world: World) -> None:
    home = world.where(world.server)
    for target in (world.other_zone, world.full, world.disabled, home):
        assert world.refused(partial(world.compute.start_live_migration, world.server, target))
        assert (world.where(world.server), world.locate(world.server).status) == (home, "ACTIVE")


@pytest.mark.needs("groups")
def test_a_member_of_an_anti_affinity_group_is_refused_beside_another(world: World) -> None:
    assert world.refused(lambda: world.compute.start_live_migration(world.apart, world.apart_from))


def test_unknown_names_are_refused(world: World) -> None:
    assert world.refused(lambda: world.compute.start_live_migration(ServerId("no-such-server"), world.target))
    assert world.refused(lambda: world.compute.start_live_migration(world.server, HostName("no-such-host")))
    with pytest.raises(Refused):
        world.compute.migration(MigrationId("no-such-migration"))
    with pytest.raises(Refused):
        world.compute.abort_migration(MigrationId("no-such-migration"))


def test_a_refusal_leaves_nothing_behind(world: World) -> None:
    before = world.compute.inventory()
    assert world.refused(lambda: world.compute.start_live_migration(world.server, world.full))
    after = world.compute.inventory()
    assert (after.servers, after.flights) == (before.servers, before.flights)
    assert [move for move in after.past if move.done] == [move for move in before.past if move.done]


def test_a_second_move_of_the_same_server_is_refused(world: World) -> None:
    with world.held():
        first = world.compute.start_live_migration(world.server, world.target)
        assert world.refused(lambda: world.compute.start_live_migration(world.server, world.spare))
    assert world.arrived(first).status == "done"
    assert world.where(world.server) == world.target


def test_a_cold_move_of_a_server_that_moves_live_is_refused(world: World) -> None:
    with world.held():
        first = world.compute.start_live_migration(world.server, world.target)
        assert world.refused(lambda: world.compute.start_cold_migration(world.server, world.spare))
    assert world.arrived(first).status == "done"


def test_a_server_that_is_off_does_not_move_live(world: World) -> None:
    before = world.locate(world.off)
    assert world.refused(lambda: world.compute.start_live_migration(world.off, world.target))
    assert world.locate(world.off) == before


def test_an_aborted_move_leaves_the_server_running_at_its_source(world: World) -> None:
    source = world.where(world.server)
    with world.held():
        id = world.compute.start_live_migration(world.server, world.target, 10.0)
        world.wait("the copy to begin", lambda: world.compute.migration(id).status in ("disk", "memory"))
        world.compute.abort_migration(id)
        assert world.arrived(id).status == "aborted"
    assert (world.where(world.server), world.locate(world.server).status) == (source, "ACTIVE")
    move = world.past_of(world.server)[-1]
    assert (move.source, move.target, move.done) == (source, world.target, False)


def test_a_move_that_is_over_cannot_be_aborted_confirmed_or_reverted(world: World) -> None:
    id = world.compute.start_live_migration(world.server, world.target)
    world.settle()
    for late in (world.compute.abort_migration, world.compute.confirm_migration, world.compute.revert_migration):
        with pytest.raises(Refused):
            late(id)
    assert world.where(world.server) == world.target


@pytest.mark.needs("memory of dead hosts")
def test_nothing_moves_live_from_a_dead_host(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        assert world.refused(lambda: world.compute.start_live_migration(world.frail, world.target))
        assert world.where(world.frail) == host


def test_nothing_moves_live_to_a_dead_host_and_everything_else_goes_on(world: World) -> None:
    since, host, source = world.moment(), world.where(world.frail), world.where(world.server)
    with world.dead(host):
        assert world.refused(lambda: world.compute.start_live_migration(world.server, host))
        assert world.where(world.server) == source
        assert world.compute.find_migration(world.server, world.target, since) is None
        id = world.compute.start_live_migration(world.server, world.target)
        assert world.arrived(id).status == "done"
        assert world.where(world.server) == world.target
