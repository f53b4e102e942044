"""What every cloud does with cold moves and with evacuations, simulated or real."""

from datetime import timedelta
from functools import partial

import pytest

from contract.world import World
from watari.errors import Refused
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId

# Cold


@pytest.mark.needs("cold")
def test_a_cold_move_arrives_and_waits_to_be_confirmed(world: World) -> None:
    source, before = world.where(world.server), world.clock.now()
    id = world.compute.start_cold_migration(world.server, world.target)
    assert world.clock.now() - before < timedelta(seconds=30)
    assert world.locate(world.server).status in ("RESIZE", "VERIFY_RESIZE")
    migration = world.arrived(id)
    assert (migration.status, migration.kind, migration.over) == ("confirm", "cold", False)
    assert (migration.server, migration.source, migration.target) == (world.server, source, world.target)
    server = world.compute.inventory().servers[world.server]
    assert server == world.locate(world.server)
    assert (server.host, server.status) == (world.target, "VERIFY_RESIZE")


@pytest.mark.needs("cold")
def test_what_waits_to_be_confirmed_is_no_flight_and_not_past(world: World) -> None:
    past = world.past_of(world.server)
    id = world.compute.start_cold_migration(world.server, world.target)
    assert world.flight_of(world.server) is not None or world.compute.migration(id).status == "confirm"
    world.arrived(id)
    assert world.flight_of(world.server) is None
    assert world.past_of(world.server) == past


@pytest.mark.needs("cold")
def test_confirmed_it_runs_at_the_target_and_the_move_is_past(world: World) -> None:
    source = world.where(world.server)
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    world.compute.confirm_migration(id)
    world.wait("the confirmation", lambda: world.compute.migration(id).over)
    assert world.compute.migration(id).status == "done"
    assert (world.where(world.server), world.locate(world.server).status) == (world.target, "ACTIVE")
    move = world.past_of(world.server)[-1]
    assert (move.source, move.target, move.done) == (source, world.target, True)


@pytest.mark.needs("cold")
def test_reverted_it_runs_at_its_source(world: World) -> None:
    source = world.where(world.server)
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    world.compute.revert_migration(id)
    world.wait("the way back", lambda: world.compute.migration(id).over)
    world.settle()
    assert world.compute.migration(id).status == "aborted"
    assert (world.where(world.server), world.locate(world.server).status) == (source, "ACTIVE")
    move = world.past_of(world.server)[-1]
    assert (move.source, move.target, move.done) == (source, world.target, False)


@pytest.mark.needs("cold")
def test_after_it_was_confirmed_it_can_move_on(world: World) -> None:
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    world.compute.confirm_migration(id)
    world.wait("the confirmation", lambda: world.compute.migration(id).over)
    world.compute.start_live_migration(world.server, world.spare)
    world.settle()
    assert (world.where(world.server), world.locate(world.server).status) == (world.spare, "ACTIVE")


@pytest.mark.needs("cold")
@pytest.mark.parametrize("confirmed", [True, False])
def test_what_was_off_stays_off(world: World, confirmed: bool) -> None:
    source = world.where(world.off)
    id = world.compute.start_cold_migration(world.off, world.target)
    assert world.arrived(id).status == "confirm"
    assert (world.where(world.off), world.locate(world.off).status) == (world.target, "VERIFY_RESIZE")
    decide = world.compute.confirm_migration if confirmed else world.compute.revert_migration
    decide(id)
    world.wait("the decision", lambda: world.compute.migration(id).over)
    world.settle()
    assert world.where(world.off) == (world.target if confirmed else source)
    assert world.locate(world.off).status == "SHUTOFF"


@pytest.mark.needs("cold")
def test_what_waits_to_be_confirmed_moves_nowhere_else(world: World) -> None:
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    assert world.refused(lambda: world.compute.start_live_migration(world.server, world.spare))
    assert world.refused(lambda: world.compute.start_cold_migration(world.server, world.spare))
    assert world.compute.migration(id).status == "confirm"
    assert (world.where(world.server), world.locate(world.server).status) == (world.target, "VERIFY_RESIZE")


@pytest.mark.needs("cold")
def test_its_place_at_the_target_is_held_until_it_is_reverted(world: World) -> None:
    id = world.compute.start_cold_migration(world.server, world.snug)
    world.arrived(id)
    assert world.refused(lambda: world.compute.start_cold_migration(world.off, world.snug))
    world.compute.revert_migration(id)
    world.wait("the way back", lambda: world.compute.migration(id).over)
    world.settle()
    assert world.arrived(world.compute.start_cold_migration(world.off, world.snug)).status == "confirm"


@pytest.mark.needs("cold")
def test_its_place_at_the_source_is_held_until_it_is_confirmed(world: World) -> None:
    world.compute.start_live_migration(world.server, world.snug)
    world.settle()
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    assert world.refused(lambda: world.compute.start_cold_migration(world.off, world.snug))
    world.compute.confirm_migration(id)
    world.wait("the confirmation", lambda: world.compute.migration(id).over)
    assert world.arrived(world.compute.start_cold_migration(world.off, world.snug)).status == "confirm"


@pytest.mark.needs("cold")
def test_while_it_is_copied_cold_it_moves_nowhere_else(world: World) -> None:
    id = world.compute.start_cold_migration(world.server, world.target)
    assert world.refused(lambda: world.compute.start_cold_migration(world.server, world.spare))
    assert world.refused(lambda: world.compute.start_live_migration(world.server, world.spare))
    assert world.arrived(id).status == "confirm"


@pytest.mark.needs("cold")
def test_a_cold_move_is_decided_once(world: World) -> None:
    id = world.compute.start_cold_migration(world.server, world.target)
    world.arrived(id)
    world.compute.confirm_migration(id)
    world.wait("the confirmation", lambda: world.compute.migration(id).over)
    for late in (world.compute.confirm_migration, world.compute.revert_migration, world.compute.abort_migration):
        with pytest.raises(Refused):
            late(id)
    assert world.where(world.server) == world.target


def test_unknown_moves_are_not_decided(world: World) -> None:
    for decide in (world.compute.confirm_migration, world.compute.revert_migration):
        with pytest.raises(Refused):
            decide(MigrationId("no-such-migration"))


@pytest.mark.needs("cold")
def test_find_adopts_a_cold_move_whatever_its_state_and_no_live_one(world: World) -> None:
    since = world.moment()
    id = world.compute.start_cold_migration(world.server, world.target)
    seen = [world.compute.find_migration(world.server, world.target, since, "cold")]
    world.arrived(id)
    seen.append(world.compute.find_migration(world.server, world.target, since, "cold"))
    world.compute.confirm_migration(id)
    world.wait("the confirmation", lambda: world.compute.migration(id).over)
    seen.append(world.compute.find_migration(world.server, world.target, since, "cold"))
    assert [found and found.id for found in seen] == [id, id, id]
    assert [found and found.status for found in seen[1:]] == ["confirm", "done"]
    assert world.compute.find_migration(world.server, world.target, since) is None
    assert world.compute.find_migration(world.server, world.spare, since, "cold") is None
    assert world.compute.find_migration(world.server, world.target, world.moment(), "cold") is None


def test_a_host_that_cannot_take_it_is_refused(world: World) -> None:
    before = world.locate(world.server)
    for target in (world.other_zone, world.full, world.disabled, before.host, HostName("no-such-host")):
        assert world.refused(partial(world.compute.start_cold_migration, world.server, target))
        assert world.locate(world.server) == before
    assert world.refused(lambda: world.compute.start_cold_migration(world.apart, world.apart_from))
    assert world.refused(lambda: world.compute.start_cold_migration(ServerId("no-such-server"), world.target))


@pytest.mark.needs("memory of dead hosts")
def test_nothing_moves_cold_from_a_dead_host(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        assert world.refused(lambda: world.compute.start_cold_migration(world.frail, world.target))
        assert world.where(world.frail) == host


def test_a_cloud_that_has_no_cold_moves_or_evacuations_refuses_them(world: World) -> None:
    before = world.locate(world.server)
    if "cold" in world.lacks:
        with pytest.raises(Refused, match="live only"):
            world.compute.start_cold_migration(world.server, world.target)
    if "evacuation" in world.lacks:
        with pytest.raises(Refused, match="cannot be rebuilt"):
            world.compute.start_evacuation(world.server)
    assert world.locate(world.server) == before


# Evacuations


def test_no_server_is_evacuated_from_a_host_that_is_up(world: World) -> None:
    before = world.locate(world.server)
    assert world.refused(lambda: world.compute.start_evacuation(world.server, world.target))
    assert world.refused(lambda: world.compute.start_evacuation(world.server))
    world.compute.disable_host(before.host, "drain")
    assert world.refused(lambda: world.compute.start_evacuation(world.server, world.target))
    assert world.locate(world.server) == before


@pytest.mark.needs("evacuation")
def test_a_server_of_a_dead_host_is_rebuilt_where_it_was_sent_and_is_off(world: World) -> None:
    since, host = world.moment(), world.where(world.frail)
    with world.dead(host):
        id = world.compute.start_evacuation(world.frail, world.target)
        end = world.arrived(id)
        assert (end.status, end.kind) == ("done", "evacuation")
        assert (end.server, end.source, end.target) == (world.frail, host, world.target)
        assert (world.where(world.frail), world.locate(world.frail).status) == (world.target, "SHUTOFF")
        move = world.past_of(world.frail)[-1]
        assert (move.source, move.target, move.done) == (host, world.target, True)
        found = world.compute.find_migration(world.frail, world.spare, since, "evacuation")
        assert found is not None, "wherever it went: the target may be the cloud's choice"
        assert found.id == id
        assert world.compute.find_migration(world.frail, world.target, since) is None
    assert world.where(world.frail) == world.target


@pytest.mark.needs("evacuation")
def test_without_a_target_the_cloud_chooses_one_of_its_zone(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        end = world.arrived(world.compute.start_evacuation(world.frail))
        chosen = world.where(world.frail)
        assert end.status == "done"
        assert chosen not in (host, world.other_zone, world.disabled)
        assert world.host(chosen).zone == world.host(host).zone
        assert end.target == chosen


@pytest.mark.needs("evacuation")
def test_a_server_on_its_way_out_of_a_dead_host_is_not_evacuated_twice(world: World) -> None:
    with world.dead(world.where(world.frail)):
        id = world.compute.start_evacuation(world.frail, world.target)
        assert world.refused(lambda: world.compute.start_evacuation(world.frail, world.spare))
        assert world.arrived(id).status == "done"
        assert world.where(world.frail) == world.target


@pytest.mark.needs("evacuation")
def test_an_evacuation_to_a_host_that_cannot_take_it_is_refused(world: World) -> None:
    host = world.where(world.frail)
    with world.dead(host):
        for target in (world.disabled, world.full, host, HostName("no-such-host")):
            assert world.refused(partial(world.compute.start_evacuation, world.frail, target))
            assert world.where(world.frail) == host
        assert world.refused(lambda: world.compute.start_evacuation(ServerId("no-such-server")))
