"""What became of a move: where the domain is decides, then what is written in it, then who asked, then time."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from times import NOON
from unit.exporter.small_libvirt import PAUSED
from unit.libvirt.conftest import Rack
from unit.libvirt.small_hosts import SHUTOFF, Daemon, Domain, received
from watari.drivers.libvirt.marks import Mark, ended, parsed, written
from watari.drivers.libvirt.moves import LOST, MIB, Asked
from watari.errors import Refused, Transient
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId, MigrationStatus

SERVER = ServerId("11111111-1111-4111-8111-111111111111")
H1, H2 = HostName("h1"), HostName("h2")
ID = f"20261130T120000-0a0a0a0a/{SERVER}/h1/h2"
MARK = Mark(ID, H1, H2, NOON)
LATER = LOST.total_seconds() + 1


@dataclass
class Scene:
    """The rack, and one move on it, from h1 to h2."""

    rack: Rack

    @property
    def source(self) -> Daemon:
        return self.rack.daemons["h1"]

    @property
    def target(self) -> Daemon:
        return self.rack.daemons["h2"]

    def at_source(self, *marks: Mark, **more: object) -> Domain:
        return self.source.put(Domain(SERVER, moves=written(marks or [MARK]), **more))  # type: ignore[arg-type]

    def at_target(self, *marks: Mark) -> Domain:
        return self.target.put(Domain(SERVER, moves=written(marks or [MARK])))

    def asked_here(self, *, over: bool, why: str = "", aborted: bool = False) -> Asked:
        """This very process asked for the move."""
        asked = Asked(MARK, SERVER, why=why, aborted=aborted)
        if over:
            asked.over.set()
        self.rack.cloud.moves._asked[ID] = asked
        return asked

    def told(self) -> tuple[MigrationStatus, str]:
        seen = self.rack.cloud.migration(MigrationId(ID))
        assert (seen.id, seen.server, seen.source, seen.target, seen.started) == (ID, SERVER, H1, H2, NOON)
        return seen.status, seen.error

    def unknown(self) -> str:
        with pytest.raises(Transient) as e:
            self.rack.cloud.migration(MigrationId(ID))
        return str(e.value)


@pytest.fixture
def scene(rack: Rack) -> Scene:
    return Scene(rack)


# While it copies


@pytest.mark.parametrize(("disk_left", "status"), [(0, "memory"), (5 * MIB, "disk")])
def test_a_job_at_the_source_is_under_way_with_what_it_copied(
    scene: Scene, disk_left: int, status: MigrationStatus
) -> None:
    stats = {
        "data_total": 400 * MIB, "data_processed": 100 * MIB, "memory_bps": 20 * MIB, "disk_bps": 10 * MIB,
        "disk_remaining": disk_left,
    }  # fmt: skip
    scene.at_source(job="out", stats=stats)
    scene.target.put(received(SERVER, written([MARK])))
    seen = scene.rack.cloud.migration(MigrationId(ID))
    assert (seen.status, seen.done_mib, seen.total_mib, seen.rate_mib_s) == (status, 100.0, 400.0, 30.0)


def test_a_job_is_the_newest_move_s(scene: Scene) -> None:
    newer = Mark(f"{ID[:-2]}h3", H1, HostName("h3"), NOON + timedelta(minutes=5))
    scene.at_source(newer, MARK, job="out")
    scene.rack.clock.sleep(LATER)
    assert scene.told()[0] == "failed"


def test_a_job_of_an_earlier_answer_is_under_way_whatever_was_written(scene: Scene) -> None:
    scene.at_source(ended(MARK, NOON, "failed", "nobody knows why"), job="out")
    assert scene.told()[0] == "memory"


# Where the domain is


def test_a_domain_that_is_only_at_the_target_has_moved(scene: Scene) -> None:
    domain = scene.at_target()
    assert scene.told() == ("done", "")
    [mark] = parsed(domain.moves or "")
    assert (mark.result, mark.ended) == ("done", NOON)


def test_it_has_moved_whatever_somebody_wrote(scene: Scene) -> None:
    domain = scene.at_target(ended(MARK, NOON, "failed", "cut off"))
    assert scene.told()[0] == "done"
    assert domain.asked == []


def test_what_is_being_received_is_not_there_yet(scene: Scene) -> None:
    scene.target.put(received(SERVER, written([MARK])))
    assert scene.told() == ("queued", "")


def test_a_source_that_is_silent_may_still_have_it(scene: Scene) -> None:
    scene.at_target()
    scene.source.away = True
    assert scene.unknown() == f"what became of move {ID} cannot be told: h1 does not answer"


def test_no_domain_that_answers_knows_of_it(scene: Scene) -> None:
    with pytest.raises(Refused, match="no domain knows of a move"):
        scene.rack.cloud.migration(MigrationId(ID))
    scene.target.away = True
    assert scene.unknown() == f"move {ID} may be known on h2, which does not answer"


@pytest.mark.parametrize("id", ["", "m-1", "a/b/c", f"{ID}/more"])
def test_what_is_no_id_of_ours_is_no_move(scene: Scene, id: str) -> None:
    with pytest.raises(Refused, match="no domain knows of a move"):
        scene.rack.cloud.migration(MigrationId(id))


def test_hosts_beside_the_way_are_not_asked(scene: Scene) -> None:
    scene.at_target()
    scene.rack.daemons["h3"].away = True
    assert scene.told()[0] == "done"


# What is written


@pytest.mark.parametrize("result", ["failed", "aborted"])
def test_at_its_source_and_at_rest_what_is_written_counts(scene: Scene, result: MigrationStatus) -> None:
    scene.at_source(ended(MARK, NOON, result, "the link was cut"))
    assert scene.told() == (result, "the link was cut")


# Who asked


def test_the_process_that_asked_waits_for_the_call_to_return(scene: Scene) -> None:
    scene.at_source()
    scene.asked_here(over=False)
    scene.rack.clock.sleep(LATER)
    assert scene.told() == ("queued", "")


@pytest.mark.parametrize(("aborted", "status"), [(False, "failed"), (True, "aborted")])
def test_once_it_has_libvirt_s_words_are_told_and_written_down(
    scene: Scene, aborted: bool, status: MigrationStatus
) -> None:
    domain = scene.at_source()
    scene.asked_here(over=True, why="operation aborted by client", aborted=aborted)
    assert scene.told() == (status, "operation aborted by client")
    [mark] = parsed(domain.moves or "")
    assert (mark.result, mark.why) == (status, "operation aborted by client")


def test_a_target_that_died_is_named_and_the_guest_that_runs_is_where_it_was(scene: Scene) -> None:
    scene.at_source()
    scene.target.away = True
    scene.asked_here(over=True, why="client socket is closed")
    assert scene.told() == ("failed", "h2 does not answer any more: client socket is closed")


def test_a_guest_that_stands_still_may_run_on_the_target_that_is_silent(scene: Scene) -> None:
    scene.at_source(status=(PAUSED, 1))
    scene.target.away = True
    scene.asked_here(over=True, why="client socket is closed")
    assert scene.unknown() == f"what became of move {ID} cannot be told: h2 does not answer"


def test_not_being_able_to_write_it_down_is_no_harm(scene: Scene) -> None:
    domain = scene.at_source()
    scene.asked_here(over=True, why="no")
    looks = iter([None])  # the first look finds it, then the host is gone

    def look() -> None:
        if next(looks, "gone") == "gone":
            scene.source.domains.clear()

    scene.source.on_look = look
    assert scene.told() == ("failed", "no")
    assert domain.asked == []


# Time


def test_another_process_s_move_that_has_not_begun_is_waited_for(scene: Scene) -> None:
    domain = scene.at_source()
    scene.rack.clock.sleep(LOST.total_seconds() - 1)
    assert scene.told() == ("queued", "")
    assert domain.asked == []


@pytest.mark.parametrize("silent", [False, True])
def test_after_a_minute_it_is_dead_if_the_guest_runs_at_its_source(scene: Scene, silent: bool) -> None:
    domain = scene.at_source()
    scene.target.away = silent
    scene.rack.clock.sleep(LATER)
    status, error = scene.told()
    assert (status, "nobody knows why" in error) == ("failed", True)
    assert parsed(domain.moves or "")[0].result == "failed"


def test_a_source_that_has_it_off_beside_a_silent_target_is_not_believed(scene: Scene) -> None:
    scene.at_source(status=(SHUTOFF, 0), persistent=True)
    scene.target.away = True
    scene.rack.clock.sleep(LATER)
    assert "cannot be told: h2 does not answer" in scene.unknown()


# What is asked of it


def test_only_a_move_that_copies_can_be_aborted(scene: Scene) -> None:
    domain = scene.at_source(job="out")
    scene.rack.cloud.abort_migration(MigrationId(ID))
    assert domain.asked == [("abortJob", None)]
    domain.job = ""
    with pytest.raises(Transient, match="has not begun to copy, or is just over"):
        scene.rack.cloud.abort_migration(MigrationId(ID))
    scene.rack.clock.sleep(LATER)
    with pytest.raises(Refused, match=r"is failed; it cannot be aborted"):
        scene.rack.cloud.abort_migration(MigrationId(ID))


@pytest.mark.parametrize(("asked", "told"), [(10.9, 10), (0.2, 1), (250.0, 250)])
def test_limits_are_whole_mib_and_one_at_least(scene: Scene, asked: float, told: int) -> None:
    domain = scene.at_source(job="out")
    scene.rack.cloud.limit_migration(MigrationId(ID), asked)
    assert domain.asked == [("migrateSetMaxSpeed", told, 0)]


def test_a_move_that_is_over_is_neither_limited_nor_hastened(scene: Scene) -> None:
    domain = scene.at_target(ended(MARK, NOON, "done"))
    scene.rack.cloud.limit_migration(MigrationId(ID), 10.0)
    with pytest.raises(Refused, match="is done; there is nothing to hasten"):
        scene.rack.cloud.force_migration(MigrationId(ID))
    assert domain.asked == []


def test_hastened_it_is_switched_to_post_copy(scene: Scene) -> None:
    domain = scene.at_source(job="out")
    scene.rack.cloud.force_migration(MigrationId(ID))
    assert domain.asked == [("migrateStartPostCopy", 0)]


# After it moved on


def test_a_move_whose_server_has_moved_on_is_found_there_and_was_done(scene: Scene) -> None:
    onward = Mark(f"20261130T130000-0b0b0b0b/{SERVER}/h2/h3", H2, HostName("h3"), NOON + timedelta(hours=1))
    scene.rack.daemons["h3"].put(Domain(SERVER, moves=written([onward, MARK])))
    assert scene.told() == ("done", "")


def test_a_move_that_failed_stays_so_after_the_same_move_succeeded(scene: Scene) -> None:
    again = Mark(f"20261130T130000-0b0b0b0b/{SERVER}/h1/h2", H1, H2, NOON + timedelta(hours=1))
    scene.at_target(again, ended(MARK, NOON, "failed", "no room"))
    assert scene.told() == ("failed", "no room")


def test_a_definition_that_is_left_at_the_source_is_off_and_the_guest_that_runs_has_moved(scene: Scene) -> None:
    scene.at_source(status=(SHUTOFF, 1))
    scene.at_target()
    assert scene.told()[0] == "done"


def test_a_move_that_ended_well_while_its_hosts_were_looked_at_is_looked_at_again(scene: Scene) -> None:
    scene.at_source()
    scene.asked_here(over=True)
    assert scene.unknown() == f"move {ID} has just ended: look again"
