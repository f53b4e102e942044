"""A cloud with starved servers, and a controller of it in this process that a test moves on by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from durable.filed_cloud import make
from durable.postgres import Postgres
from durable.rig import copied
from durable.serving.history_book import Book
from durable.serving.metered_cloud import NAME, POLICY, MeteredCloud, opened
from durable.serving.site import Build, Site
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.proposals import Proposal, list_proposals
from watari.act.durable.records import RunRow, list_runs
from watari.act.durable.store import Store
from watari.app.clouds import Cloud
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.reconciler import Look, Reconciler

SIX_ON_ONE = {f"s{i}": "h1" for i in range(6)} | {"s6": "h2", "s7": "h3"}


@dataclass(slots=True)
class Desk:
    """Everything of one controller: the test is its clock."""

    store: Store
    lease: Lease
    cloud: Cloud
    filed: MeteredCloud
    policy: Path
    reconciler: Reconciler
    begun: list[str]

    def write(self, mode: str, more: str = "") -> None:
        """Another policy."""
        self.policy.write_text(POLICY.replace("MODE", mode) + more)

    def look(self) -> Look:
        return self.reconciler.look()

    def proposals(self) -> list[Proposal]:
        """All, oldest first."""
        return list_proposals(self.store)[::-1]

    def states(self) -> list[str]:
        return [p.state for p in self.proposals()]

    def runs(self) -> list[RunRow]:
        return list_runs(self.store)[::-1]

    def again(self) -> "Reconciler":
        """Another process's controller of the same cloud, after this one ended."""
        place = Place(self.store, self.lease, NAME)
        assert place.hold() == ""
        self.reconciler = Reconciler(place, self.cloud, PolicyFile(str(self.policy)), self.begun.append)
        self.reconciler.recall()
        return self.reconciler


Sit = Callable[..., Desk]


@pytest.fixture(autouse=True)
def files_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.app.serving.policy_file.SETTLE_S", 0.0)


@pytest.fixture
def sit(template: Path, tmp_path: Path) -> Iterator[Sit]:
    """Makes desks: `sit("approve")`."""
    with ExitStack() as stack:

        def new(mode: str, more: str = "", servers: dict[str, str] | None = None) -> Desk:
            make(tmp_path / "cloud.db", servers or SIX_ON_ONE, ["h1", "h2", "h3"])
            store = Store(copied(template, tmp_path))
            stack.callback(store.close)
            lease = Lease(store)
            lease.take()
            stack.callback(lease.release)
            policy, begun = tmp_path / "policy.yaml", list[str]()
            policy.write_text(POLICY.replace("MODE", mode) + more)
            cloud, place = opened(tmp_path / "cloud.db"), Place(store, lease, NAME)
            assert place.hold() == ""
            reconciler = Reconciler(place, cloud, PolicyFile(str(policy)), begun.append)
            filed = cloud.compute
            assert isinstance(filed, MeteredCloud)
            return Desk(store, lease, cloud, filed, policy, reconciler, begun)

        yield new


@pytest.fixture
def on_sqlite(template: Path, tmp_path: Path) -> Iterator[Build]:
    with ExitStack() as stack:

        def new() -> Site:
            site = Site(tmp_path, copied(template, tmp_path))
            stack.callback(site.close)
            return site

        yield new


@pytest.fixture
def on_postgres(server: Postgres, tmp_path: Path) -> Iterator[Build]:
    with ExitStack() as stack:

        def new() -> Site:
            site = Site(tmp_path, server.new_database())
            stack.callback(site.close)
            return site

        yield new


@pytest.fixture(params=["sqlite", "postgres"])
def book(request: pytest.FixtureRequest, template: Path, tmp_path: Path) -> Iterator[Book]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = copied(template, tmp_path)
        else:
            server: Postgres = request.getfixturevalue("server")
            url = server.new_database()
        store = Store(url)
        stack.callback(store.close)
        lease = Lease(store)
        lease.take()
        stack.callback(lease.release)
        yield Book(store, lease)
