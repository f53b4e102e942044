"""The virtual-time executor, step by step: what it writes before it asks, and what it does when the cloud fails it."""

from datetime import timedelta

import pytest

from stage.api import Api
from stage.cast import Cast
from stage.directives import DAY
from watari.act.guard import Guard
from watari.act.handlers import Done, handlers
from watari.act.journal import Entry, OperationRecord, StepRecord
from watari.act.saga import STALL_S
from watari.act.setbacks import BACKOFF_S
from watari.act.virtual import VirtualExecutor
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import ApiDown, Faults, MigrationRefused, SlowLink
from watari.jobs.balance import plan
from watari.model.compute import HostName, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.steps import LiveMigrate
from watari.policy.values import Policy
from watari.ports import MigrationId

WEB, H1, H2 = ServerId("web-1"), HostName("h1"), HostName("h2")


class Bench:
    """One move, web-1 from h1 to h2, submitted and not yet begun."""

    def __init__(self) -> None:
        cast = Cast()
        cast.add_hosts("az1", ["h1", "h2", "h3"], {})
        cast.add_servers("h1", "web-1", "8", "8G", {"demand": "7"})
        cast.add_servers("h1", "web-2..4", "8", "32G", {"demand": "7"})
        self.faults = Faults()
        self.cloud = SimCloud(cast.spec(), cast.scripted(), DAY, faults=self.faults)
        self.api = Api(self.cloud, dict(cast.hosts))
        self.journal: list[Entry] = []
        policy = Policy()
        self.guard = Guard(policy, self.api.claims)
        self.executor = VirtualExecutor(handlers(self.api), self.guard, self.cloud, self.journal.append)
        self.run = self.executor.submit(plan(compute_snapshot(self.api, self.cloud, self.cloud), policy))

    @property
    def record(self) -> OperationRecord:
        (record,) = self.run.operations
        return record

    @property
    def step(self) -> StepRecord:
        (step,) = self.record.steps
        return step

    def tick(self, seconds: float = 15.0, times: int = 1) -> None:
        for _ in range(times):
            self.executor.tick()
            self.cloud.advance(seconds)

    def states(self) -> list[str]:
        return [entry.state for entry in self.journal]

    def state(self) -> str:
        return self.record.state

    def host(self) -> HostName:
        found = self.cloud.locate(WEB)
        assert found is not None
        return found.host


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    assert (made.record.operation.subject, made.record.operation.target) == (WEB, H2)
    return made


def test_a_move_goes_from_intent_to_done(bench: Bench) -> None:
    bench.tick(times=3)
    assert bench.states() == ["intended", "running", "done"]
    assert bench.host() == H2
    assert bench.run.over
    assert not bench.executor.runs
    assert bench.run.count("done") == 1


def test_the_intent_is_written_before_the_cloud_is_asked(bench: Bench) -> None:
    asked_at_write: list[int] = []
    bench.executor.journal = lambda entry: asked_at_write.append(sum(bench.api.asked.values()))
    bench.tick()
    assert asked_at_write == [0, 1]


def test_the_rate_that_the_guard_allows_is_what_is_asked_for(bench: Bench) -> None:
    bench.tick()
    assert isinstance(bench.step.step, LiveMigrate)
    assert bench.step.step.bandwidth_mib_s == 800.0
    (under_way,) = bench.executor.under_way()
    assert under_way.rate_mib_s == 800.0


def test_progress_is_kept(bench: Bench) -> None:
    bench.tick(5.0, times=2)
    assert 0 < bench.step.done_mib < bench.step.total_mib
    assert bench.step.rate_mib_s == 800.0


def test_nothing_is_asked_while_it_waits(bench: Bench) -> None:
    bench.guard.stopped = "a fire drill"
    bench.tick(times=3)
    assert (bench.state(), bench.record.waits) == ("pending", "stopped: a fire drill")
    assert not bench.api.asked
    assert not bench.journal
    bench.guard.stopped = ""
    bench.tick(times=3)
    assert bench.state() == "done"


def test_waiting_operations_can_be_dropped_and_running_ones_cannot(bench: Bench) -> None:
    bench.guard.stopped = "a fire drill"
    bench.tick()
    bench.executor.drop_waiting()
    assert not bench.executor.runs
    other = Bench()
    other.tick()
    other.executor.drop_waiting()
    assert other.executor.runs == [other.run]


def test_a_stopping_run_starts_nothing_and_ends(bench: Bench) -> None:
    bench.run.stopping = True
    bench.tick()
    assert not bench.executor.runs
    assert not bench.api.asked


def test_a_server_that_is_there_already_is_done(bench: Bench) -> None:
    bench.cloud.start_live_migration(WEB, H2)
    bench.cloud.advance(120)
    bench.tick()
    assert (bench.state(), bench.record.note) == ("done", "is on h2 already")
    assert not bench.api.asked


@pytest.mark.parametrize(
    ("somebody", "note"),
    [
        ("deletes", "the server does not exist any more; plan again"),
        ("moves", "is on h3, not on h1 where the plan saw it; plan again"),
        ("kills", "is ERROR; only ACTIVE servers move live"),
    ],
)
def test_a_plan_that_is_not_true_any_more_is_skipped(bench: Bench, somebody: str, note: str) -> None:
    if somebody == "deletes":
        bench.api.deleted.add(WEB)
    elif somebody == "moves":
        bench.cloud.start_live_migration(WEB, HostName("h3"))
        bench.cloud.advance(120)
    else:
        bench.cloud.set_host_state(H1, "down")
    bench.tick()
    assert (bench.state(), bench.record.note) == ("skipped", note)
    assert not bench.api.asked


def test_a_refusal_ends_it_with_the_clouds_words(bench: Bench) -> None:
    bench.faults.add(MigrationRefused("no valid host was found", WEB))
    bench.tick(times=3)
    assert (bench.state(), bench.record.note) == ("failed", "no valid host was found")
    assert bench.api.asked[WEB, H2] == 1


def test_before_anything_was_asked_it_gives_up_after_some_time(bench: Bench) -> None:
    bench.faults.add(ApiDown(0.0, 3600.0))
    bench.tick(times=60)
    assert bench.state() == "skipped"
    assert bench.record.note == f"gave up after {len(BACKOFF_S) + 1} tries: 503 from nova-api"


def test_a_request_without_an_answer_is_looked_for_first(bench: Bench) -> None:
    bench.api.lost_answers = 1
    bench.tick(times=2)
    assert bench.state() == "running"
    assert bench.step.handle == "sim-000001"
    assert bench.step.note == ""
    bench.tick(times=2)
    assert bench.state() == "done"
    assert bench.api.asked[WEB, H2] == 1


def test_a_request_that_was_not_taken_is_made_again_unless_the_world_has_changed(bench: Bench) -> None:
    bench.api.unavailable = 1
    bench.tick()
    assert bench.record.under_way
    bench.cloud.start_live_migration(WEB, HostName("h3"))
    bench.cloud.advance(120)
    bench.tick()
    assert bench.state() == "skipped"
    assert bench.api.asked[WEB, H2] == 1


def test_a_request_that_was_not_taken_waits_like_any_other(bench: Bench) -> None:
    bench.api.unavailable = 1
    bench.tick()
    bench.guard.stopped = "a fire drill"
    bench.tick(times=3)
    assert (bench.state(), bench.record.waits) == ("pending", "stopped: a fire drill")
    assert bench.api.asked[WEB, H2] == 1


def test_an_unavailable_cloud_is_asked_less_and_less_often(bench: Bench) -> None:
    bench.api.unavailable = 1000
    bench.tick(1.0, times=60)
    assert bench.api.asked[WEB, H2] == 4  # at once, and after 5, 10 and 20 s
    bench.tick(15.0, times=60)
    assert bench.state() == "failed"
    assert bench.api.asked[WEB, H2] == len(BACKOFF_S) + 1


def test_an_outage_in_the_middle_of_a_copy_does_no_harm(bench: Bench) -> None:
    bench.tick()
    bench.faults.add(ApiDown(10.0, 400.0))
    bench.tick(times=20)
    assert bench.state() == "running"
    bench.tick(times=20)
    assert bench.state() == "done"


def test_a_copy_without_progress_is_stopped(bench: Bench) -> None:
    bench.faults.add(SlowLink(H2, 0.0))
    bench.tick(times=round(STALL_S / 15) + 3)
    assert bench.state() == "undone"
    assert "stopped; the server stays on h1" in bench.record.note
    assert bench.host() == H1
    assert not bench.cloud.flights_progress()


def test_done_is_where_the_server_is_and_not_what_a_status_says(bench: Bench) -> None:
    """The move itself is reported as failed; the server is on the target all the same."""
    bench.tick()
    bench.cloud.advance(120)
    assert bench.step.handle is not None
    found = bench.cloud.find_migration(WEB, H2, DAY)
    assert found is not None
    bench.cloud._moves[found.id].phase = "failed"
    bench.tick()
    assert bench.state() == "done"


def test_last_weeks_move_is_not_adopted(bench: Bench) -> None:
    bench.cloud.start_live_migration(WEB, H2)
    bench.cloud.advance(120)
    handler = handlers(bench.api)[type(bench.step.step)]
    assert handler.find(bench.step.step, DAY) == "sim-000001"
    assert handler.find(bench.step.step, DAY + timedelta(seconds=60)) is None


def test_the_same_move_that_is_under_way_already_is_adopted(bench: Bench) -> None:
    bench.cloud.start_live_migration(WEB, H2)  # by an earlier run, or by hand
    bench.executor.adopt(bench.run)
    bench.tick()
    assert (bench.states(), bench.step.handle) == (["running"], "sim-000001")
    bench.tick(times=5)
    assert bench.state() == "done"


def test_a_refusal_for_another_move_stays_a_refusal(bench: Bench) -> None:
    bench.cloud.start_live_migration(WEB, HostName("h3"))
    bench.tick()
    assert bench.state() == "failed"
    assert "already migrating to h3" in bench.record.note


def test_a_move_that_is_over_is_not_adopted(bench: Bench) -> None:
    """It failed before; what the cloud refuses now is refused."""
    bench.cloud.start_live_migration(WEB, H2)
    bench.cloud.abort_migration(MigrationId("sim-000001"))
    bench.faults.add(MigrationRefused("no valid host was found", WEB))
    bench.tick()
    assert (bench.state(), bench.step.handle) == ("failed", None)
    assert bench.record.note == "no valid host was found"


GIVEN_UP = f"gave up after {len(BACKOFF_S) + 1} tries: 503 from nova-api"


def test_what_was_never_asked_for_is_skipped_in_the_end(bench: Bench) -> None:
    bench.faults.add(ApiDown(0.0, 3600.0))
    bench.tick(times=40)
    assert (bench.state(), bench.record.note) == ("skipped", GIVEN_UP)
    assert not bench.api.asked
    assert not bench.executor.runs


def test_what_was_asked_for_has_failed_and_a_person_should_look(bench: Bench) -> None:
    bench.api.lost_answers = 1
    bench.tick()
    bench.faults.add(ApiDown(0.0, 3600.0))  # now it cannot even be looked for
    bench.tick(times=40)
    assert bench.state() == "failed"
    assert bench.record.note == f"{GIVEN_UP}; look whether the cloud moves it all the same"
    assert bench.api.asked[WEB, H2] == 1


def test_what_is_under_way_is_never_given_up(bench: Bench) -> None:
    bench.tick()
    bench.faults.add(ApiDown(10.0, 3600.0))
    bench.tick(times=200)
    assert (bench.state(), bench.record.note) == ("running", "503 from nova-api")
    assert bench.step.setbacks > len(BACKOFF_S)
    bench.tick(times=50)
    assert bench.state() == "done"


def test_an_answer_ends_the_count_of_setbacks(bench: Bench) -> None:
    bench.guard.stopped = "a fire drill"
    bench.faults.add(ApiDown(0.0, 100.0))
    bench.tick(times=5)
    assert bench.step.setbacks == 4
    bench.tick(times=10)
    assert (bench.state(), bench.step.setbacks) == ("pending", 0)


def test_a_plan_that_expires_while_it_waits_starts_nothing(bench: Bench) -> None:
    bench.guard.stopped = "for a test"
    bench.tick()
    bench.cloud.advance(3600.0)
    bench.guard.stopped = ""
    bench.tick()
    assert bench.state() == "skipped"
    assert "expired" in bench.record.note


def test_a_cloud_that_forgets_a_migration_is_judged_by_where_the_server_is(bench: Bench) -> None:
    bench.tick(times=20)
    assert bench.state() == "done"
    handler = bench.executor.handlers[type(bench.step.step)]
    assert isinstance(handler.poll(bench.step.step, "sim-999999"), Done)
