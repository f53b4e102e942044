"""The databases of the fault tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from durable.filed_cloud import make
from durable.postgres import MISSING, Postgres, binaries
from durable.rig import Rig, Worker, copied, rig
from durable.worker import Orders

Make = Callable[..., Rig]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with all tables, as the first worker makes it."""
    folder = tmp_path_factory.mktemp("template")
    make(folder / "cloud.db", {}, [])
    worker = Worker(Orders(str(folder / "runs.db"), str(folder / "cloud.db"), str(folder / "out")))
    while "ready" not in worker.out():
        time.sleep(0.02)
    assert worker.end() == 0, worker.out()
    return folder / "runs.db"


@pytest.fixture
def sqlite(template: Path, tmp_path: Path) -> Iterator[Make]:
    """Makes rigs on SQLite."""
    with ExitStack() as stack:

        def new(servers: dict[str, str], hosts: list[str], **cloud: float) -> Rig:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(rig(folder, copied(template, folder), servers, hosts, **cloud))

        yield new


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """PostgreSQL, or the reason why there is none."""
    if binaries() is None:
        pytest.skip(MISSING)
    made = Postgres()
    yield made
    made.close()


@pytest.fixture
def postgres(server: Postgres, tmp_path: Path) -> Iterator[Make]:
    """Makes a rig on PostgreSQL, in a database of its own."""
    with ExitStack() as stack:

        def new(servers: dict[str, str], hosts: list[str], **cloud: float) -> Rig:
            return stack.enter_context(rig(tmp_path, server.new_database(), servers, hosts, **cloud))

        yield new
