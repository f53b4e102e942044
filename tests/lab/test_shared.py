"""Done when: workers on one PostgreSQL share a run; what a dead or frozen one left goes on, nothing moves twice."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from command import Process, Watari, ending, until
from durable.postgres import MISSING, Postgres, binaries
from lab import plans
from lab.nova import Moved, Nova
from lab.parts import Part, beside
from watari.model.compute import Server
from watari.plan.plan import Plan

pytestmark = pytest.mark.skipif(binaries() is None, reason=MISSING)
LEASE_S = 10
MOVE_S = 2.0
AT_ONCE = 4  # operations that a process takes, so that small runs are shared, too


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    server = Postgres()
    try:
        yield server.new_database()
    finally:
        server.close()


@pytest.fixture
def shared(watari: Watari, database: str) -> Watari:
    watari.extra |= {"WATARI_DATABASE": database, "WATARI_LEASE_S": str(LEASE_S), "WATARI_AT_ONCE": str(AT_ONCE)}
    return watari


def test_done_when_two_workers_share_a_run_and_one_is_killed(
    shared: Watari, nova: Nova, part: Part, crowd: list[Server], database: str
) -> None:
    plan, file, policy, mark = some_moves(shared, nova, part, 20)
    with ending(shared.start("worker")) as first, ending(shared.start("worker")) as second:
        ready(first, second)
        with ending(shared.start("apply", file, "--policy", policy, "--yes")) as third:
            until("all three to work", lambda: len(workers(database, plan)) == 3, timeout_s=60.0)
            first.kill()
            ended = shared.end(third)
        assert (ended.code, ended.result["done"]) == (0, 20), ended
        second.send_signal(signal.SIGINT)
        assert shared.end(second).code == 0
    assert_once(nova, plan, mark)


def test_a_worker_that_was_frozen_for_longer_than_its_lease_does_nothing_when_it_wakes(
    shared: Watari, nova: Nova, part: Part, crowd: list[Server], database: str
) -> None:
    plan, file, policy, mark = some_moves(shared, nova, part, 16)
    with ending(shared.start("worker")) as frozen, ending(shared.start("worker")) as other:
        ready(frozen, other)
        with ending(shared.start("apply", file, "--policy", policy, "--yes")) as applying:
            until("all three to work", lambda: len(workers(database, plan)) == 3, timeout_s=60.0)
            frozen.send_signal(signal.SIGSTOP)
            ended = shared.end(applying)
            time.sleep(LEASE_S / 2)
            frozen.send_signal(signal.SIGCONT)
            woken = shared.end(frozen, 60.0)
        assert (ended.code, ended.result["done"]) == (0, 16), ended
        assert woken.code == 75, woken
        assert "lease" in woken.err
    assert_once(nova, plan, mark)


def some_moves(watari: Watari, nova: Nova, part: Part, number: int) -> tuple[Plan, Path, Path, int]:
    """A plan of so many moves of the crowd, its file and policy, and the newest migration before it."""
    for host in part.hosts:
        nova.lab.knobs(host, seconds=MOVE_S)
    policy = plans.wide(watari.home)
    moves = [(s, beside(s.host)) for s in nova.some(part.crowd[:number])]
    plan = plans.of_moves(nova.lab.spec, moves, policy)
    return plan, plans.written(plan, watari.home / "p.json"), policy, nova.mark()


def ready(*processes: Process) -> None:
    """Wait until workers say that they work."""
    for process in processes:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "working with" in line, line


def workers(database: str, plan: Plan) -> set[str]:
    """Who has written something down about moves of the plan."""
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as c:
        rows = c.execute(
            sa.text("select distinct executor from watari_entries where run_id = :run and state = 'running'"),
            {"run": plans.run_of(plan)},
        )
        found = set(rows.scalars())
    engine.dispose()
    return found


def assert_once(nova: Nova, plan: Plan, mark: int) -> None:
    """Every server is at its target, and Nova was asked for it once."""
    nova.at_rest()
    places, asked = nova.places(), nova.since(mark)
    assert {op.name: places[op.name] for op in plan.operations} == {op.name: op.target for op in plan.operations}
    assert sorted(m.server for m in asked) == sorted(op.subject for op in plan.operations), twice(asked)
    assert {m.status for m in asked} == {"completed"}


def twice(asked: list[Moved]) -> list[Moved]:
    servers = [m.server for m in asked]
    return [m for m in asked if servers.count(m.server) > 1]
