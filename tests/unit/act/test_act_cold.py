"""Cold moves: whose word lets them stay, what sends them back, and what does not count as arrived."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.journal import Entry, OperationRecord, Run
from watari.act.virtual import VirtualExecutor
from watari.errors import Refused
from watari.model.compute import HostName, Server, ServerId
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import ColdMigrate, LiveMigrate, Step
from watari.policy.values import Policy
from watari.ports import Migration, MigrationId, MigrationKind, MigrationStatus

DAY = datetime(2024, 5, 1, 12, tzinfo=UTC)
WEB, H1, H2 = ServerId("web-1"), HostName("h1"), HostName("h2")


@dataclass
class OneServer:
    """A cloud of one server that is told how its move goes on; keeps every request."""

    server: Server = field(default_factory=lambda: Server(WEB, "web-1", H1, 2, 2048))
    at: datetime = DAY
    move: Migration | None = None
    asked: list[str] = field(default_factory=list)
    refusing: bool = False

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def locate(self, server: ServerId) -> Server:
        return self.server

    def begins(self, kind: MigrationKind, status: MigrationStatus = "disk") -> MigrationId:
        self.move = Migration(MigrationId("m1"), WEB, H1, H2, self.at, status, kind=kind)
        return self.move.id

    def goes(self, status: MigrationStatus, host: HostName, server: str) -> None:
        assert self.move is not None
        self.move = replace(self.move, status=status)
        self.server = replace(self.server, host=host, status=server)

    limits_moves = False

    def start_live_migration(self, server: ServerId, target: HostName, *_: object) -> MigrationId:
        self.asked.append("live")
        if self.refusing:
            raise Refused("409: it is being moved")
        return self.begins("live")

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        self.asked.append("cold")
        if self.refusing:
            raise Refused("409: it waits to be confirmed")
        return self.begins("cold")

    def migration(self, id: MigrationId) -> Migration:
        assert self.move is not None
        return self.move

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        return self.move if self.move and self.move.kind == kind and self.move.started >= since else None

    def abort_migration(self, id: MigrationId) -> None:
        self.asked.append("abort")

    def confirm_migration(self, id: MigrationId) -> None:
        self.asked.append("confirm")

    def revert_migration(self, id: MigrationId) -> None:
        self.asked.append("revert")


class Bench:
    def __init__(self, step: Step, cloud: OneServer) -> None:
        self.cloud = cloud
        op = Operation(OperationId("1"), WEB, "web-1", "az1", "", 1, (step,), Cost(2048))
        plan = Plan("p-12345678", "drain", "c", DAY, DAY + timedelta(hours=9), "", "", (op,))
        self.journal: list[Entry] = []
        verbs = handlers(cast(Any, cloud))
        self.executor = VirtualExecutor(verbs, Guard(Policy(), {}), cloud, self.journal.append)
        self.run: Run = self.executor.submit(plan)

    @property
    def record(self) -> OperationRecord:
        return self.run.operations[0]

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.executor.tick()
            self.cloud.sleep(5.0)


@pytest.fixture
def cloud() -> OneServer:
    return OneServer()


def cold(cloud: OneServer) -> Bench:
    return Bench(ColdMigrate(WEB, H1, H2), cloud)


def test_what_we_asked_for_is_confirmed_and_the_intent_is_written_first(cloud: OneServer) -> None:
    bench = cold(cloud)
    bench.tick(2)
    cloud.goes("confirm", H2, "VERIFY_RESIZE")
    bench.tick()
    assert (cloud.asked, bench.journal[-1].text) == (["cold"], "arrived: being confirmed")
    bench.tick()
    assert cloud.asked == ["cold", "confirm"]
    cloud.goes("done", H2, "ACTIVE")
    bench.tick()
    assert bench.record.state == "done"


def test_what_somebody_else_asked_for_is_theirs_to_confirm(cloud: OneServer) -> None:
    cloud.begins("cold")
    cloud.goes("confirm", H2, "VERIFY_RESIZE")
    cloud.refusing = True
    bench = cold(cloud)
    bench.tick(5)
    assert cloud.asked == ["cold"]
    assert (bench.record.state, bench.record.note) == (
        "skipped",
        "somebody else moved it there, and has to confirm that",
    )


def test_looking_for_what_goes_on_changes_nothing(cloud: OneServer) -> None:
    cloud.begins("cold")
    cloud.goes("confirm", H2, "VERIFY_RESIZE")
    bench = cold(cloud)
    bench.executor.adopt(bench.run)
    assert cloud.asked == []


def test_cancelled_it_is_sent_back_when_it_arrives(cloud: OneServer) -> None:
    bench = cold(cloud)
    bench.tick(2)
    bench.run.cancelled = True
    bench.tick()
    cloud.goes("confirm", H2, "VERIFY_RESIZE")
    bench.tick(2)
    assert cloud.asked == ["cold", "revert"]
    cloud.goes("aborted", H1, "ACTIVE")
    bench.tick()
    assert (bench.record.state, bench.record.note) == ("undone", "cancelled: stopped; the server stays on h1")


def test_a_long_cold_copy_is_waited_for(cloud: OneServer) -> None:
    bench = cold(cloud)
    for _ in range(60):
        bench.tick()
        cloud.sleep(60.0)
    assert bench.record.state == "running"
    cloud.goes("confirm", H2, "VERIFY_RESIZE")
    bench.tick(2)
    cloud.goes("done", H2, "ACTIVE")
    bench.tick()
    assert (bench.record.state, cloud.asked) == ("done", ["cold", "confirm"])


@pytest.mark.parametrize("step", [ColdMigrate(WEB, H1, H2), LiveMigrate(WEB, H1, H2)])
def test_a_server_in_error_has_not_arrived(cloud: OneServer, step: Step) -> None:
    bench = Bench(step, cloud)
    bench.tick(2)
    cloud.goes("failed", H2, "ERROR")
    bench.tick()
    assert bench.record.state == "failed"
    assert bench.record.note.endswith("the server is ERROR on h2")


def test_a_server_in_error_is_not_done_already(cloud: OneServer) -> None:
    cloud.server = replace(cloud.server, host=H2, status="ERROR")
    bench = cold(cloud)
    bench.tick()
    assert (bench.record.state, cloud.asked) == ("skipped", [])


def test_confirmed_and_resized_in_place_by_its_user_since_it_is_done(cloud: OneServer) -> None:
    bench = cold(cloud)
    bench.tick(2)
    cloud.goes("done", H2, "VERIFY_RESIZE")
    bench.tick()
    assert bench.record.state == "done"


def test_somebody_elses_live_move_is_watched_and_never_stopped(cloud: OneServer) -> None:
    cloud.begins("live", "memory")
    cloud.refusing = True
    bench = Bench(LiveMigrate(WEB, H1, H2), cloud)
    bench.tick(2)
    bench.run.cancelled = True
    bench.tick(3)
    assert "abort" not in cloud.asked
    assert (bench.record.state, bench.record.note) == ("skipped", "cancelled; not ours to stop: it goes on")


def test_a_wait_before_the_second_request_does_not_count_as_moving(cloud: OneServer) -> None:
    bench = Bench(LiveMigrate(WEB, H1, H2), cloud)
    r = bench.record.steps[0]
    r.asked_at = DAY - timedelta(hours=5)  # a first request, that was never heard
    bench.tick(3)
    assert (bench.record.state, cloud.asked) == ("running", ["live"])
