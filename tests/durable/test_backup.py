"""A copy of a SQLite database that was made while it worked, restored after more had happened."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable.postgres import binaries
from durable.rig import Rig, move
from watari.act.durable.store import Store

Make = Callable[..., Rig]
PAGE = Path(__file__).parents[2] / "docs" / "operations" / "backup.md"
HOSTS = ["h1", "h2", "h3"]
SERVERS = {"s1": "h1", "s2": "h1", "s3": "h1"}
WAYS = ("vacuum into", ".backup", "python")


def copy(way: str, database: str, to: Path) -> None:
    """Each as the page has it."""
    said = PAGE.read_text(encoding="utf-8")
    if way == "python":
        (line,) = re.findall(r"python -c '(import sqlite3; .+)'", said)
        command = [
            sys.executable,
            "-c",
            line.replace("/var/lib/watari/runs.db", database).replace("/var/lib/watari/copy.db", str(to)),
        ]
    else:
        command = ["sqlite3", database, f".backup {to}" if way == ".backup" else f"vacuum into '{to}'"]
        assert f'sqlite3 /var/lib/watari/runs.db "{command[2].replace(str(to), "/var/backups/runs.db")}"' in said
    subprocess.run(command, check=True, timeout=60)


def restore(database: str, copy: Path) -> None:
    """What the old file had beside it belongs to the old one."""
    for tail in ("-wal", "-shm"):
        Path(database + tail).unlink(missing_ok=True)
    copy.replace(database)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    if request.param != "python" and not Path("/usr/bin/sqlite3").exists():
        pytest.skip("sqlite3 is not installed: apt install sqlite3")
    return str(request.param)


def test_what_ended_after_the_copy_is_found_done_and_not_asked_for_again(
    sqlite: Make, tmp_path: Path, way: str
) -> None:
    made = sqlite(SERVERS, HOSTS)
    made.cloud.break_("start", "never", 1, "s1")
    run = made.submit(move("1", "s1", "h1", "h2"), move("2", "s2", "h1", "h3", "1"))
    worker = made.ready()
    made.until(lambda: made.states(run)["1"] == "running")
    copy(way, made.url, tmp_path / "copy.db")
    made.cloud.arrive("s1")
    made.until(lambda: set(made.states(run).values()) == {"done"})
    assert worker.end() == 0
    made.store.close()
    restore(made.url, tmp_path / "copy.db")
    made.store = Store(made.url)
    assert made.states(run) == {"1": "running", "2": "pending"}, "as it was when it was copied"
    made.carry_out()
    assert set(made.states(run).values()) == {"done"}
    assert made.asked() == {"s1": 1, "s2": 1}


def test_a_run_that_the_copy_does_not_know_is_forgotten_and_its_moves_stay(
    sqlite: Make, tmp_path: Path, way: str
) -> None:
    made = sqlite(SERVERS, HOSTS)
    copy(way, made.url, tmp_path / "copy.db")
    run = made.submit(move("1", "s1", "h1", "h2"))
    made.carry_out()
    made.store.close()
    restore(made.url, tmp_path / "copy.db")
    made.store = Store(made.url)
    again = made.submit(move("1", "s1", "h1", "h2"), id="p-87654321")
    made.carry_out()
    assert run != again
    assert made.states(again) == {"1": "done"}
    assert made.asked() == {"s1": 1}, "it is there already"


def test_what_ended_after_a_dump_is_found_done_and_not_asked_for_again(postgres: Make, tmp_path: Path) -> None:
    made, programs = postgres(SERVERS, HOSTS), binaries()
    made.cloud.break_("start", "never", 1, "s1")
    assert programs is not None, "there is a server"
    dump, back = re.findall(r"^    (pg_dump .+|pg_restore .+?)(?:  +#.*)?$", PAGE.read_text(encoding="utf-8"), re.M)
    there: dict[str, Any] = {"env": {"PATH": f"{programs}:/usr/bin:/bin", "URL": made.url}, "cwd": tmp_path}
    run = made.submit(move("1", "s1", "h1", "h2"), move("2", "s2", "h1", "h3", "1"))
    worker = made.ready()
    made.until(lambda: made.states(run)["1"] == "running")
    subprocess.run(dump, shell=True, check=True, timeout=60, **there)
    made.cloud.arrive("s1")
    made.until(lambda: set(made.states(run).values()) == {"done"})
    assert worker.end() == 0
    made.store.close()
    subprocess.run(back, shell=True, check=True, timeout=60, **there)
    made.store = Store(made.url)
    assert made.states(run) == {"1": "running", "2": "pending"}, "as it was when it was dumped"
    made.carry_out()
    assert set(made.states(run).values()) == {"done"}
    assert made.asked() == {"s1": 1, "s2": 1}


def test_a_server_that_was_moved_on_since_is_left_where_it_is(sqlite: Make, tmp_path: Path) -> None:
    made = sqlite(SERVERS, HOSTS)
    run = made.submit(move("1", "s1", "h1", "h2"))
    copy("python", made.url, tmp_path / "copy.db")
    made.carry_out()
    made.submit(move("1", "s1", "h2", "h3"), id="p-87654321")
    made.carry_out()
    made.store.close()
    restore(made.url, tmp_path / "copy.db")
    made.store = Store(made.url)
    made.carry_out()
    (operation,) = made.run(run).operations
    assert (operation.state, made.host_of("s1")) == ("skipped", "h3")
    assert "is on h3, not on h1 where the plan saw it; plan again" in operation.note
    assert made.asked() == {"s1": 2}
