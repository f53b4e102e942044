"""Runs on PostgreSQL: workers that share the work, die, are stopped, begin at once; a server that is away."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from durable.postgres import MISSING, Postgres, binaries
from durable.rig import Rig, move, rig
from watari.act.durable.lease import FENCED
from watari.act.durable.records import list_runs
from watari.act.durable.store import Store
from watari.errors import BadInput, Transient

Make = Callable[..., Rig]
HOSTS = [f"h{i}" for i in range(20)]
FEW = "budgets: {total: 4, per_zone: 4, link: 100000 MiB/s, move: 1 MiB/s}\n"
TTL_S = 2.0
TAKEOVER_S = 30.0  # what is promised with the default lease of 15 s


def fill(made: Rig, n: int, policy: str = FEW) -> str:
    return made.submit(*(move(str(i), f"s{i}", f"h{i % 10}", f"h{10 + i % 10}") for i in range(n)), policy=policy)


def many(n: int) -> dict[str, str]:
    return {f"s{i}": f"h{i % 10}" for i in range(n)}


def executors(made: Rig) -> set[str]:
    with made.store.reading() as c:
        return set(c.exec_driver_sql("select distinct executor from watari_entries").scalars())


def test_two_workers_that_start_at_once_on_an_empty_database_share_a_run(server: Postgres, tmp_path: Path) -> None:
    with rig(tmp_path, server.new_database(), many(16), HOSTS, move_s=0.3) as made:
        fill(made, 16)
        both = [made.worker(enqueue=False, once=True, at_once=4) for _ in range(2)]
        assert [worker.wait() for worker in both] == [0, 0], both[0].out() + both[1].out()
        assert made.asked() == {f"s{i}": 1 for i in range(16)}
        assert made.most_at_once() == 4, "the budget is that of both together"
        assert len(executors(made)) == 2
        assert [worker.out() for worker in both] == ["ready\n", "ready\n"]


def test_tables_are_made_once_when_two_processes_open_an_empty_database(server: Postgres) -> None:
    url = server.new_database()
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store(url), range(4)))
    assert [list_runs(store) for store in stores] == [[], [], [], []]
    for store in stores:
        store.close()


def test_what_a_killed_worker_left_goes_on_elsewhere(
    postgres: Make, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    made = postgres(many(20), HOSTS, move_s=0.5)
    fill(made, 20)
    first = made.ready(ttl_s=TTL_S)
    made.until(lambda: len(made.asked()) >= 4)
    second = made.ready(enqueue=False, ttl_s=TTL_S)
    first.kill()
    killed, held = time.monotonic(), _carried_by(made, first.pid)
    assert held
    made.until(lambda: not _carried_by(made, first.pid))
    seconds = time.monotonic() - killed
    record_property("takeover_s", round(seconds, 1))
    with capsys.disabled():
        print(f"\n  takeover of {held} operations after kill -9: {seconds:.1f} s (lease {TTL_S:.0f} s)")
    assert seconds < TAKEOVER_S
    made.until(made.over)
    assert second.end() == 0
    assert set(made.states().values()) == {"done"}
    assert made.asked() == {f"s{i}": 1 for i in range(20)}
    assert made.most_at_once() <= 4


def test_a_worker_that_was_stopped_for_longer_than_its_lease_ends_itself(postgres: Make) -> None:
    made = postgres(many(20), HOSTS, move_s=0.5)
    fill(made, 20)
    first = made.ready(ttl_s=TTL_S)
    made.until(lambda: len(made.asked()) >= 4)
    made.freeze(first)
    second = made.ready(enqueue=False, ttl_s=TTL_S)
    made.until(lambda: not _carried_by(made, first.pid))
    before = _entries_of(made, first.pid)
    first.send(signal.SIGCONT)
    assert first.wait() == FENCED, first.out()
    assert "its lease on the database" in first.out()
    made.until(made.over)
    assert _entries_of(made, first.pid) == before, "it wrote nothing more"
    assert made.asked() == {f"s{i}": 1 for i in range(20)}
    assert made.most_at_once() <= 4
    assert second.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_worker_leaves_when_it_ends_goes_on_elsewhere(postgres: Make, number: int) -> None:
    made = postgres(many(12), HOSTS, move_s=0.5)
    fill(made, 12)
    first = made.ready(ttl_s=TTL_S)
    second = made.ready(enqueue=False, ttl_s=TTL_S)
    made.until(lambda: len(made.asked()) >= 4)
    assert first.end(number) == 0, first.out()
    made.until(made.over)
    assert set(made.states().values()) == {"done"}
    assert made.asked() == {f"s{i}": 1 for i in range(12)}
    assert second.end() == 0


def test_moves_under_way_do_not_stand_behind_those_that_wait_for_them(postgres: Make) -> None:
    """The survivor's places are all taken by operations that wait for the budgets of the dead one's moves."""
    made = postgres(many(12), HOSTS, move_s=1.0)
    fill(made, 12)
    first = made.ready(ttl_s=TTL_S, at_once=4)
    made.until(lambda: len(made.asked()) == 4)
    second = made.ready(enqueue=False, ttl_s=TTL_S, at_once=4)
    first.kill()
    made.until(made.over)
    assert made.asked() == {f"s{i}": 1 for i in range(12)}
    assert second.end() == 0


def test_an_operation_given_back_is_not_shut_out_by_those_that_wait_for_it(postgres: Make) -> None:
    """The survivor has places for two, taken by two that wait for the one that the other worker gave back."""
    made = postgres(many(5), HOSTS, move_s=0.8)
    one = "budgets: {total: 1, link: 100000 MiB/s, move: 1 MiB/s}\n"
    chain = [move("a", "s0", "h0", "h10"), move("b", "s1", "h1", "h11")]
    chain += [move(id, f"s{i}", f"h{i}", f"h1{i}", "b") for i, id in enumerate("cde", 2)]
    made.submit(*chain, policy=one)
    first = made.ready(ttl_s=TTL_S, at_once=2)
    made.until(lambda: len(made.asked()) == 1)  # a moves, b waits for its place
    second = made.ready(enqueue=False, ttl_s=TTL_S, at_once=2)
    made.until(lambda: _carried_by(made, second.pid) == 2)
    assert first.end() == 0
    made.until(made.over)
    assert set(made.states().values()) == {"done"}
    assert second.end() == 0


def test_going_on_with_a_run_that_another_worker_carries_out_changes_nothing(postgres: Make) -> None:
    made = postgres(many(8), HOSTS, move_s=0.5)
    run = fill(made, 8)
    assert fill(made, 8) == run, "the same plan again is the same run"
    first = made.ready(ttl_s=TTL_S)
    made.until(lambda: len(made.asked()) >= 1)
    second = made.ready(ttl_s=TTL_S)
    made.until(made.over)
    assert made.asked() == {f"s{i}": 1 for i in range(8)}
    assert (first.end(), second.end()) == (0, 0)


def test_two_that_submit_the_same_plan_at_once_share_one_run(postgres: Make) -> None:
    made = postgres(many(8), HOSTS)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: fill(made, 8), range(4))) == {"r-12345678"}
    assert len(made.run().operations) == 8


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    if binaries() is None:
        pytest.skip(MISSING)
    made = Postgres()
    yield made
    made.close()


def test_a_server_that_is_away_for_less_than_the_lease_and_for_longer(own_server: Postgres, tmp_path: Path) -> None:
    with rig(tmp_path, own_server.new_database(), many(20), HOSTS, move_s=0.5) as made:
        fill(made, 20)
        worker = made.ready(ttl_s=6.0)
        made.until(lambda: len(made.asked()) >= 4)
        own_server.stop()
        own_server.start()
        made.until(lambda: len(made.asked()) >= 10)
        assert worker.process.is_alive(), worker.out()
        own_server.stop()
        assert worker.wait() == FENCED, worker.out()
        asked = len(made.asked())
        own_server.start()
        made.carry_out()
        assert len(made.asked()) == 20 > asked
        assert set(made.states().values()) == {"done"}
        assert made.asked() == {f"s{i}": 1 for i in range(20)}
        assert made.most_at_once() <= 4


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(Transient, match=re.escape("postgresql+psycopg://u:***@127.0.0.1:1/x does not answer")):
        Store("postgresql://u:secret@127.0.0.1:1/x")


def test_a_database_that_does_not_exist_is_bad_input(server: Postgres) -> None:
    with pytest.raises(BadInput, match='database "none" does not exist'):
        Store(server.new_database().rpartition("/")[0] + "/none")


def _carried_by(made: Rig, pid: int) -> int:
    """Operations that are not over and belong to a process."""
    sql = "select count(*) from watari_operations where owner like '%%-{}-%%' and state in ({})"
    states = "'pending', 'intended', 'running', 'undoing'"
    with made.store.reading() as c:
        return int(c.exec_driver_sql(sql.format(pid, states)).scalar() or 0)


def _entries_of(made: Rig, pid: int) -> int:
    with made.store.reading() as c:
        sql = f"select count(*) from watari_entries where executor like '%%-{pid}-%%'"
        return int(c.exec_driver_sql(sql).scalar() or 0)
