"""Runs on a SQLite file: their journal, kills at random, a file that somebody else holds, a disk that is full."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from durable.rig import Rig, copied, move, rig
from durable.worker import FAILED
from watari.act.durable.records import list_runs
from watari.act.journal import Entry

Make = Callable[..., Rig]
HOSTS = [f"h{i}" for i in range(20)]


def many(n: int) -> dict[str, str]:
    return {f"s{i}": f"h{i % 10}" for i in range(n)}


def moves(n: int) -> list:  # type: ignore[type-arg]
    return [move(str(i), f"s{i}", f"h{i % 10}", f"h{10 + i % 10}") for i in range(n)]


def test_a_run_ends_and_its_journal_is_complete_and_in_order(sqlite: Make) -> None:
    made = sqlite(many(8), HOSTS)
    run = made.submit(*moves(8))
    worker = made.carry_out()
    assert set(made.states(run).values()) == {"done"}
    by_operation: dict[str, list[Entry]] = {}
    for entry in made.journal(run):
        by_operation.setdefault(entry.operation, []).append(entry)
    assert {tuple(e.state for e in them) for them in by_operation.values()} == {("intended", "running", "done")}
    for i, (server, _, _, began, _) in enumerate(sorted(made.cloud.moves(), key=lambda m: int(m[0][1:]))):
        intended, running, done = by_operation[str(i)]
        assert (server, intended.at.timestamp() <= began <= running.at.timestamp()) == (f"s{i}", True)
        assert done.at >= running.at
    assert worker.out() == "ready\n", "nothing but what it was told to say"


def test_what_nobody_ever_started_is_taken_up_by_a_worker(sqlite: Make) -> None:
    made = sqlite(many(2), HOSTS)
    made.submit(*moves(2))
    made.carry_out(enqueue=False)
    assert made.asked() == {"s0": 1, "s1": 1}


def test_random_kills_lose_nothing_and_ask_for_nothing_twice(sqlite: Make) -> None:
    made, chance = sqlite(many(60), HOSTS, move_s=0.3), random.Random(7)
    run = made.submit(*moves(60))
    for _ in range(6):
        worker = made.ready()
        time.sleep(chance.uniform(0.05, 0.5))
        worker.kill()
    made.carry_out()
    assert set(made.states(run).values()) == {"done"}
    assert made.asked() == {f"s{i}": 1 for i in range(60)}
    assert all(made.host_of(f"s{i}") == f"h{10 + i % 10}" for i in range(60))


def test_budgets_hold_although_the_worker_is_killed(sqlite: Make) -> None:
    made = sqlite(many(12), HOSTS, move_s=0.3)
    made.submit(*moves(12), policy="budgets: {total: 3, link: 100000 MiB/s, move: 1 MiB/s}\n")
    for _ in range(3):
        worker = made.ready()
        made.until(lambda: bool(made.cloud.flights()))
        worker.kill()
    made.carry_out()
    assert made.most_at_once() == 3
    assert made.asked() == {f"s{i}": 1 for i in range(12)}


def test_a_second_worker_is_told_who_has_the_file(sqlite: Make) -> None:
    made = sqlite(many(1), HOSTS)
    first = made.ready()
    second = made.worker()
    assert second.wait() == FAILED
    assert f"Busy: another watari (pid {first.pid}) works with {made.url}" in second.out()
    assert first.end() == 0


def test_a_stopped_process_keeps_its_file_and_goes_on(sqlite: Make) -> None:
    made = sqlite(many(6), HOSTS, move_s=0.5)
    made.submit(*moves(6))
    worker = made.ready(ttl_s=0.6, once=True)
    made.until(lambda: len(made.asked()) >= 1)
    made.freeze(worker)
    time.sleep(1.2)  # twice its lease
    second = made.worker()
    assert second.wait() == FAILED, second.out()
    assert "Busy" in second.out()
    worker.send(signal.SIGCONT)
    assert worker.wait() == 0, worker.out()
    assert made.asked() == {f"s{i}": 1 for i in range(6)}


def test_ending_at_once_leaves_what_is_under_way_to_the_next(sqlite: Make) -> None:
    made = sqlite(many(4), HOSTS, move_s=1.0)
    made.submit(*moves(4), policy="budgets: {total: 2, link: 100000 MiB/s, move: 1 MiB/s}\n")
    worker = made.ready()
    made.until(lambda: len(made.asked()) == 2)
    assert worker.end(signal.SIGTERM) == 0
    assert list(made.states().values()).count("running") == 2
    made.carry_out()
    assert made.asked() == {f"s{i}": 1 for i in range(4)}


def test_a_worker_that_finishes_begins_nothing(sqlite: Make) -> None:
    made = sqlite(many(4), HOSTS, move_s=0.5)
    made.submit(*moves(4), policy="budgets: {total: 2, link: 100000 MiB/s, move: 1 MiB/s}\n")
    worker = made.ready()
    made.until(lambda: len(made.asked()) == 2)
    assert worker.end(signal.SIGINT) == 0
    assert sorted(made.states().values()) == ["done", "done", "pending", "pending"]
    assert len(made.asked()) == 2
    made.carry_out()
    assert set(made.states().values()) == {"done"}


def test_a_run_whose_last_process_died_before_it_was_closed_is_closed(sqlite: Make) -> None:
    made = sqlite(many(1), HOSTS)
    run = made.submit(*moves(1))
    worker = made.worker(kill_at=(3, "after"))
    assert worker.wait() == -signal.SIGKILL
    assert made.states() == {"0": "done"}
    assert [row.state for row in list_runs(made.store)] == ["running"]
    made.carry_out()
    assert [(row.id, row.state) for row in list_runs(made.store)] == [(run, "done")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_ends_the_worker_and_nothing_is_asked_that_is_not_written(
    template: Path, tmp_path: Path, small_disk: Path
) -> None:
    with rig(tmp_path, copied(template, small_disk), many(40), HOSTS, move_s=0.2) as made:
        run = made.submit(*moves(40), policy="budgets: {total: 4, link: 100000 MiB/s, move: 1 MiB/s}\n")
        worker = made.ready()
        made.until(lambda: len(made.asked()) >= 4)
        _fill(small_disk / "ballast")
        assert worker.wait() == FAILED, worker.out()
        assert "the disk is full; free space, then go on with `watari runs resume`" in worker.out()
        asked, states = made.asked(), made.states(run)
        assert 4 <= len(asked) < 40
        assert {f"s{op}" for op, state in states.items() if state != "pending"} >= set(asked)
        (small_disk / "ballast").unlink()
        made.carry_out()
        assert set(made.states(run).values()) == {"done"}
        assert made.asked() == {f"s{i}": 1 for i in range(40)}


def test_a_worker_on_a_full_disk_says_so(template: Path, tmp_path: Path, small_disk: Path) -> None:
    with rig(tmp_path, copied(template, small_disk), many(1), HOSTS) as made:
        _fill(small_disk / "ballast")
        worker = made.worker()
        assert worker.wait() == FAILED
        assert "the disk is full" in worker.out()


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"x" * 4096)
