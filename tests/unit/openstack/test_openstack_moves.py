"""Moves that were asked for: how they are found again, when they are over, and how they are stopped."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from times import NOON
from unit.openstack.conftest import Opened
from unit.openstack.small_nova import SmallNova, action_row, event_row, progress_row, record_row
from unit.openstack.stub import Answer
from watari.errors import Refused, Transient
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId

WEB, H2, H3 = ServerId("web"), HostName("h2"), HostName("h3")
MIB = 1024 * 1024
REQUEST = "req-0a"
LIVE_ID = MigrationId(f"{REQUEST}/live/web/h2")
COLD_ID = MigrationId(f"{REQUEST}/cold/web/h2")
EVACUATED_ID = MigrationId(f"{REQUEST}/evacuation/web/")
CONDUCTOR = "conductor_live_migrate_instance"


def t(seconds: float) -> str:
    """As Nova writes moments."""
    return (NOON + timedelta(seconds=seconds)).replace(tzinfo=None, microsecond=0).isoformat() + ".000000"


# Finding again


def test_a_move_without_a_record_yet_is_found_by_its_request(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    found = east.cloud.find_migration(WEB, H2, NOON)
    assert found is not None
    assert (found.id, found.status, found.source, found.target) == (LIVE_ID, "queued", "h1", "h2")


def test_the_record_s_target_decides_as_soon_as_it_is_known(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), events=[event_row(CONDUCTOR, t(0))])]
    three_hosts.records = [record_row(1, "web", "accepted", t(1), dest_compute=None)]
    assert east.cloud.find_migration(WEB, H3, NOON) is not None
    three_hosts.records[0] |= {"dest_compute": "h2", "status": "running"}
    assert east.cloud.find_migration(WEB, H3, NOON) is None
    found = east.cloud.find_migration(WEB, H2, NOON)
    assert found is not None
    assert found.id == LIVE_ID


def test_an_older_move_is_never_found(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), events=[event_row(CONDUCTOR, t(0), t(1))])]
    three_hosts.actions["web"][0]["updated_at"] = t(300)  # it ended later: changes-since alone would let it through
    three_hosts.records = [record_row(1, "web", "completed", t(0))]
    assert east.cloud.find_migration(WEB, H2, NOON + timedelta(seconds=1)) is None
    assert east.cloud.find_migration(WEB, H2, NOON + timedelta(microseconds=900)) is not None  # Nova has whole seconds


def test_other_kinds_of_moves_are_not_found(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), "migrate")]
    assert east.cloud.find_migration(WEB, H2, NOON) is None
    assert east.cloud.find_migration(WEB, H2, NOON, "evacuation") is None
    found = east.cloud.find_migration(WEB, H2, NOON, "cold")
    assert found is not None
    assert found.id == COLD_ID
    assert east.cloud.find_migration(ServerId("gone"), H2, NOON) is None


def test_each_request_has_its_own_record(east: Opened, three_hosts: SmallNova) -> None:
    """Two in one minute: the first was refused, the second runs; the conductor's clock is five seconds ahead."""
    three_hosts.actions["web"] = [
        action_row("req-0b", t(10), events=[event_row(CONDUCTOR, t(15))]),
        action_row("req-0a", t(0), events=[event_row(CONDUCTOR, t(5), t(6), "No valid host was found.")]),
    ]
    three_hosts.records = [record_row(2, "web", "running", t(15)), record_row(1, "web", "error", t(5))]
    first = east.cloud.migration(MigrationId("req-0a/live/web/h2"))
    second = east.cloud.migration(MigrationId("req-0b/live/web/h2"))
    assert (first.status, second.status) == ("failed", "memory")
    newest = east.cloud.find_migration(WEB, H2, NOON)
    assert newest is not None
    assert newest.id == second.id


def test_an_evacuation_is_found_wherever_it_goes(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), "evacuate")]
    three_hosts.records = [record_row(1, "web", "done", t(0), migration_type="evacuation", dest_compute="h3")]
    found = east.cloud.find_migration(WEB, H2, NOON, "evacuation")
    assert found is not None
    assert (found.id, found.status, found.target) == (EVACUATED_ID, "done", "h3")


# Watching


def test_a_refusal_after_202_is_told_with_nova_s_words(east: Opened, three_hosts: SmallNova) -> None:
    id = east.cloud.start_live_migration(WEB, H2)
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    assert east.cloud.migration(id).status == "queued"
    events = [
        event_row(CONDUCTOR, t(0), t(2), "Migration pre-check error"),
        event_row("compute_check_can_live_migrate_destination", t(1), t(2), "CPU doesn't have compatibility."),
    ]
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), events=events)]
    three_hosts.records = [record_row(1, "web", "error", t(0), dest_compute=None)]
    end = east.cloud.migration(id)
    assert (end.status, end.source, end.target) == ("failed", "h1", "h2")
    assert end.error.startswith("CPU doesn't have compatibility; ")
    assert REQUEST in end.error


def test_a_refusal_before_any_record_is_told_too(east: Opened, three_hosts: SmallNova) -> None:
    events = [event_row("conductor_migrate_server", t(0), t(1), "No valid host was found.")]
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), "migrate", events=events)]
    end = east.cloud.migration(COLD_ID)
    assert (end.status, end.source) == ("failed", "h1")
    assert "No valid host" in end.error


def test_older_novas_tell_by_their_traceback(east: Opened, three_hosts: SmallNova) -> None:
    event = event_row(CONDUCTOR, t(0), t(1), "x") | {"traceback": "  File x\nNoValidHost: none\n"}
    del event["details"]
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), events=[event])]
    assert east.cloud.migration(LIVE_ID).error.startswith("NoValidHost: none; ")


def test_a_request_that_nobody_works_on_fails_after_two_minutes(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    assert east.cloud.migration(LIVE_ID).status == "queued"
    east.clock.sleep(121.0)
    assert east.cloud.migration(LIVE_ID).status == "failed"
    three_hosts.servers[0]["OS-EXT-STS:task_state"] = "migrating"
    assert east.cloud.migration(LIVE_ID).status == "queued"


def test_progress_is_in_mib_and_the_rate_is_between_nova_s_own_looks(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), events=[event_row(CONDUCTOR, t(0), t(1))])]
    three_hosts.records = [record_row(7, "web", "running", t(0))]
    row = progress_row(7, "web", disk_total_bytes=4096 * MIB, disk_remaining_bytes=3096 * MIB)
    three_hosts.copying[7] = row | {"disk_processed_bytes": 1000 * MIB, "created_at": t(0), "updated_at": t(10)}
    east.clock.sleep(11.0)
    first = east.cloud.migration(LIVE_ID)
    assert (first.status, first.done_mib, first.total_mib, first.rate_mib_s) == ("disk", 1000, 12288, 100)
    three_hosts.stub.asked.clear()
    assert east.cloud.migration(LIVE_ID) == first  # Nova has not looked again: that is no standstill
    assert len(three_hosts.stub.asked) == 1
    three_hosts.copying[7] |= {
        "disk_remaining_bytes": 0, "disk_processed_bytes": 4096 * MIB, "memory_processed_bytes": 9000 * MIB,
        "memory_remaining_bytes": 192 * MIB, "updated_at": t(30),
    }  # fmt: skip
    east.clock.sleep(20.0)
    second = east.cloud.migration(LIVE_ID)
    assert (second.status, second.done_mib, second.rate_mib_s) == ("memory", 12096, 604.8)
    east.clock.sleep(61.0)
    assert east.cloud.migration(LIVE_ID).rate_mib_s == 0


def test_numbers_that_nova_does_not_have_yet_are_no_progress(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    three_hosts.records = [record_row(7, "web", "running", t(0))]
    none = dict.fromkeys(("memory_total_bytes", "memory_remaining_bytes", "memory_processed_bytes"))
    three_hosts.copying[7] = progress_row(7, "web", **none)
    seen = east.cloud.migration(LIVE_ID)
    assert (seen.status, seen.done_mib, seen.total_mib) == ("memory", 0, 0)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", "queued"), ("queued", "queued"), ("preparing", "queued"), ("running", "memory"),
        ("post-migrating", "memory"), ("completed", "done"), ("cancelled", "aborted"), ("error", "failed"),
        ("failed", "failed"), ("a word of tomorrow", "queued"),
    ],
)  # fmt: skip
def test_a_live_record_s_words(east: Opened, three_hosts: SmallNova, word: str, status: str) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    three_hosts.records = [record_row(1, "web", word, t(0))]
    three_hosts.servers[0]["OS-EXT-SRV-ATTR:host"] = "h2"  # it looks arrived: the record decides whether it is over
    assert east.cloud.migration(LIVE_ID).status == status


def test_a_cold_move_is_to_be_confirmed_when_the_server_says_so(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0), "migrate")]
    three_hosts.records = [record_row(1, "web", "finished", t(0), migration_type="migration")]
    three_hosts.servers[0]["status"] = "RESIZE"
    assert east.cloud.migration(COLD_ID).status == "memory"
    with pytest.raises(Refused):
        east.cloud.confirm_migration(COLD_ID)
    three_hosts.servers[0]["status"] = "VERIFY_RESIZE"
    assert east.cloud.migration(COLD_ID).status == "confirm"
    assert east.cloud.flights() == ()
    east.cloud.confirm_migration(COLD_ID)
    assert three_hosts.stub.asked[-1].body == {"confirmResize": None}
    for word, status in (("confirming", "memory"), ("confirmed", "done"), ("reverted", "aborted")):
        three_hosts.records[0]["status"] = word
        three_hosts.servers[0]["status"] = "VERIFY_RESIZE"
        assert east.cloud.migration(COLD_ID).status == "memory", "the record is ahead of the server"
        three_hosts.servers[0]["status"] = "ACTIVE"
        assert east.cloud.migration(COLD_ID).status == status
        with pytest.raises(Refused):
            east.cloud.revert_migration(COLD_ID)


@pytest.mark.parametrize("id", ["no-such-migration", "req-0a/live/web", "req-0c/live/web/h2", "req-0a/odd/web/h2"])
def test_an_id_that_is_not_known_is_refused(east: Opened, three_hosts: SmallNova, id: str) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    for call in (east.cloud.migration, east.cloud.abort_migration, east.cloud.confirm_migration):
        with pytest.raises(Refused, match="knows no migration"):
            call(MigrationId(id))


# Stopping


def abort_as(nova: SmallNova, answer: Callable[[], Answer]) -> None:
    nova.stub.on("DELETE", r"/compute/servers/web/migrations/\d+", lambda _: answer())


def test_a_move_that_copies_is_aborted_by_its_record(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    three_hosts.records = [record_row(7, "web", "running", t(0))]
    abort_as(three_hosts, lambda: Answer({}, 202))
    east.cloud.abort_migration(LIVE_ID)
    assert three_hosts.stub.paths("DELETE") == ["/compute/servers/web/migrations/7"]
    assert three_hosts.stub.asked[-1].version == "2.95"


def test_a_move_that_has_not_begun_can_be_aborted_later(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    with pytest.raises(Transient, match="has not begun"):
        east.cloud.abort_migration(LIVE_ID)
    three_hosts.records = [record_row(7, "web", "accepted", t(0))]
    abort_as(three_hosts, lambda: Answer({"badRequest": {"message": "Migration 7 state is accepted"}}, 400))
    with pytest.raises(Transient, match="state is accepted"):
        east.cloud.abort_migration(LIVE_ID)


def test_a_move_that_ends_meanwhile_is_refused(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.actions["web"] = [action_row(REQUEST, t(0))]
    three_hosts.records = [record_row(7, "web", "post-migrating", t(0))]

    def ended() -> Answer:
        three_hosts.records[0]["status"] = "completed"
        return Answer({"badRequest": {"message": "too late"}}, 400)

    abort_as(three_hosts, ended)
    with pytest.raises(Refused, match="too late"):
        east.cloud.abort_migration(LIVE_ID)
    with pytest.raises(Refused, match="is done"):
        east.cloud.abort_migration(LIVE_ID)
