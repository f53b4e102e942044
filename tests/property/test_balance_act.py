"""Whatever dies, fails or is refused while a plan is carried out: budgets hold, and nothing is asked for twice."""

from collections import Counter
from copy import deepcopy
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from stage.api import Api, Killed
from stage.cast import Cast
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.journal import Entry, Run
from watari.act.virtual import VirtualExecutor
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Fault, Faults, HostDeath, MigrationFails, MigrationRefused
from watari.jobs.balance import plan
from watari.model.compute import HostName, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.policy.values import Budgets, Policy

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
TICK_S = 15.0
TICKS = 400  # more than the slowest of these plans takes


def crowded() -> Cast:
    """Three hosts in need and three that have room: the plan has five moves."""
    cast = Cast()
    cast.add_hosts("az1", ["h1..6"], {"link": "400"})
    for host, role, n in (("h1", "web", 5), ("h2", "api", 5), ("h3", "db", 4)):
        cast.add_servers(host, f"{role}-1..{n}", "8", "8G", {"demand": "7", "role": role})
    return cast


class Office:
    """A worker, its journal, and the next worker when it dies. `dies_at` are the entries that kill it.

    An odd one kills it before the entry is stored, an even one right after.
    """

    def __init__(self, policy: Policy, faults: list[Fault], dies_at: set[int]) -> None:
        cast = crowded()
        self.cloud = SimCloud(cast.spec(), cast.scripted(), START, faults=Faults(faults))
        self.api = Api(self.cloud, dict(cast.hosts))
        self.policy = policy
        self.dies_at = dies_at
        self.entries = 0
        self.stored: list[Run] = []
        self.executor = self.worker()

    def worker(self) -> VirtualExecutor:
        guard = Guard(self.policy, self.api.claims)
        return VirtualExecutor(handlers(self.api), guard, self.cloud, self.write)

    def write(self, entry: Entry) -> None:
        self.entries += 1
        if self.entries in self.dies_at and self.entries % 2:
            raise Killed
        self.stored = deepcopy(self.executor.runs)
        if self.entries in self.dies_at:
            raise Killed

    def begin(self) -> Plan:
        made = plan(compute_snapshot(self.api, self.cloud, self.cloud), self.policy)
        self.executor.submit(made)
        self.stored = deepcopy(self.executor.runs)
        return made

    def tick(self) -> None:
        try:
            self.executor.tick()
        except Killed:
            self.executor = self.worker()
            self.executor.runs = deepcopy(self.stored)
        self.cloud.advance(TICK_S)


BROKEN = st.sampled_from(
    (
        MigrationFails(0.6, ServerId("web-1")),
        MigrationFails(0.0, ServerId("api-2")),
        MigrationRefused("no valid host was found", ServerId("db-1")),
        HostDeath(HostName("h4"), 40.0),
        HostDeath(HostName("h1"), 40.0),
    )
)


def test_the_plan_of_these_tests_has_moves_enough() -> None:
    assert len(Office(Policy(), [], set()).begin().operations) == 5


@settings(max_examples=60)
@given(st.sets(st.integers(1, 18), max_size=6), st.lists(BROKEN, unique=True, max_size=2))
def test_a_kill_at_any_entry_asks_for_nothing_twice(dies_at: set[int], faults: list[Fault]) -> None:
    office = Office(Policy(), faults, dies_at)
    made = office.begin()
    for _ in range(TICKS):
        office.tick()
        if not office.executor.runs:
            break
    assert not office.executor.runs, "every run ends"
    # A refused request has no effect, so it may be repeated when its answer was lost; a taken one never is.
    taken = Counter((m.server, m.target) for m in office.cloud.inventory().past)
    assert all(times == 1 for times in taken.values())
    assert set(office.api.asked) <= {(ServerId(op.subject), op.target) for op in made.operations}
    assert not office.cloud.flights_progress(), "nothing flies that nobody watches"


def test_a_kill_at_each_entry_in_turn_loses_no_move() -> None:
    for entry in range(1, 16):
        office = Office(Policy(), [], {entry})
        made = office.begin()
        for _ in range(TICKS):
            office.tick()
        assert not office.executor.runs
        servers = office.cloud.inventory().servers
        assert all(servers[ServerId(op.subject)].host == op.target for op in made.operations)
        assert sum(office.api.asked.values()) == len(made.operations)


@settings(max_examples=40)
@given(
    st.builds(
        Budgets,
        total=st.integers(1, 4),
        per_host_out=st.integers(1, 3),
        per_host_in=st.integers(1, 3),
        per_zone=st.integers(1, 4),
        per_role=st.integers(1, 3),
        move_mib_s=st.sampled_from((None, 50.0, 120.0)),
        link_mib_s=st.sampled_from((None, 100.0, 300.0)),
        total_mib_s=st.sampled_from((None, 250.0)),
    ),
    st.sets(st.integers(1, 18), max_size=3),
    st.lists(BROKEN, unique=True, max_size=1),
)
def test_budgets_hold_at_every_moment(budgets: Budgets, dies_at: set[int], faults: list[Fault]) -> None:
    office = Office(Policy(budgets=budgets), faults, dies_at)
    office.begin()
    links = {host.name: host.link_mib_s for host in office.api.claims.values()}
    for _ in range(TICKS):
        office.tick()
        flights = office.cloud.flights_progress()
        assert len(flights) <= min(budgets.total, budgets.per_zone)
        assert sum(f.rate_mib_s for f in flights) <= (budgets.total_mib_s or 1e9) + 1e-6
        for host, link in links.items():
            leaving = [f for f in flights if f.source == host]
            coming = [f for f in flights if f.target == host]
            assert len(leaving) <= budgets.per_host_out
            assert len(coming) <= budgets.per_host_in
            rate = sum(f.rate_mib_s for f in (*leaving, *coming))
            assert rate <= min(link, budgets.link_mib_s or 1e9) + 1e-6
        for role in ("web", "api", "db"):
            assert sum(f.server.startswith(role) for f in flights) <= budgets.per_role
        if not office.executor.runs:
            break
    assert not office.executor.runs
