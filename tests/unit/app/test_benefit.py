"""Benefits of runs on a cloud that keeps its runs in a database: measured, booked once, and known to the next plan."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stage.cast import Cast, ScriptedDemand
from watari.act.durable.benefits import before_of, of_run, recent, runs_to_measure, save
from watari.act.durable.records import columns_of, entries_of, load_run, submit
from watari.act.durable.store import Store
from watari.act.durable.tables import operations, runs
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.journal import Run
from watari.act.virtual import VirtualExecutor
from watari.app.benefit import Due, book, look_before, measure_due, note_before, recalled, starved_now, with_benefits
from watari.app.clouds import Cloud
from watari.app.measuring import journal_entry
from watari.app.plans import plan_balance
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Faults, NoMetrics
from watari.errors import Permanent, Transient
from watari.model.compute import ComputeSnapshot, HostName
from watari.plan.plan import Plan
from watari.policy.load import load_policy, policy_text

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
POLICY = load_policy()
HOUR_S = 3600.0


@dataclass(slots=True)
class Scene:
    """A small cloud in which h1 is asked for too much, its database, and what was said."""

    store: Store
    sim: SimCloud
    demand: ScriptedDemand
    cloud: Cloud
    said: list[str] = field(default_factory=list)

    def made(self, *, noted: bool = True) -> Run:
        """A run of a plan of one move that has been made, and nobody has measured."""
        plan = plan_balance(self.cloud.snapshot(), POLICY)
        assert [op.name for op in plan.operations] == ["web-1"]
        run_id, _ = submit(self.store, plan, self.cloud.name, policy_text(None), self.sim.now())
        if noted:
            note_before(self.store, run_id, plan, self.cloud, look_before(self.cloud))
        self.carry_out(run_id, plan)
        return load_run(self.store, run_id)

    def carry_out(self, run_id: str, plan: Plan) -> None:
        executor = VirtualExecutor(handlers(self.sim), Guard(POLICY, self.sim.inventory().hosts), self.sim, print)
        run = executor.submit(plan)
        while not run.over:
            executor.tick()
            self.sim.advance(15.0)
        with self.store.writing() as c:
            for record in run.operations:
                this = (operations.c.run_id == run_id, operations.c.id == record.operation.id)
                c.execute(operations.update().where(*this).values(columns_of(record)))
            c.execute(runs.update().where(runs.c.id == run_id).values(ended_at=self.sim.now().isoformat()))

    def book(self, run: Run, *, stopping: bool = False) -> int | None:
        return book(self.store, run, self.cloud, POLICY, lambda: stopping, self.said.append)

    def due(self) -> None:
        """One look of a worker."""
        Due(self.store, self.said.append, lambda name: self.cloud, self.sim.now).look()

    def journal(self, run: Run) -> list[str]:
        return [f"{e.subject} {e.step}: {e.state} ({e.text})" for e in entries_of(self.store, run.id)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    cast = Cast()
    cast.add_hosts("az1", ["h1", "h2"], {})
    cast.add_servers("h1", "web-1", "8", "16G", {"demand": "7.9"})
    cast.add_servers("h1", "api-1..4", "20", "32G", {"demand": "5"})
    demand = cast.scripted()
    sim = SimCloud(cast.spec(), demand, NOON, faults=Faults())
    sim.advance(60.0)
    store = Store(str(tmp_path / "runs.db"))
    yield Scene(store, sim, demand, Cloud("east", sim, sim, sim, lambda: None))
    store.close()


HELPED = (
    "web-1 measure: done (steal 14 % -> 0.0 %, load 1.15 -> 0.99, h1 and h2: 3.9 -> 0.0 cores stolen "
    "for 22 GiB in 45 s, about 0.5 s down)"
)


def test_a_run_is_measured_and_booked_in_the_journal(scene: Scene) -> None:
    run = scene.made()
    assert starved_now(scene.cloud, POLICY) == 1  # the window still tells of before
    assert scene.book(run) == 0
    assert scene.journal(run) == [HELPED]
    assert scene.said[0] == "measuring what 1 move brought in 45 s, once loads are of after"
    assert scene.said[1].startswith("web-1 h1 -> h2: steal 14 % -> 0.0 %")
    (found,) = of_run(scene.store, run.id)
    assert (found.verdict, found.measured_at) == ("helped", found.moved_at + timedelta(seconds=60))
    assert found.gain == pytest.approx(0.138, abs=0.001)


def test_a_benefit_is_booked_once(scene: Scene) -> None:
    run = scene.made()
    scene.book(run)
    (found,) = of_run(scene.store, run.id)
    op = run.operations[0].operation
    assert not save(scene.store, run.id, "east", op, found, journal_entry(run.id, found))
    assert scene.book(run) == 0  # what was found then
    scene.due()
    assert scene.journal(run) == [HELPED]


def test_without_a_reading_of_before_the_first_to_book_wins_too(scene: Scene) -> None:
    run = scene.made(noted=False)
    scene.book(run)
    (found,) = of_run(scene.store, run.id)
    op = run.operations[0].operation
    assert not save(scene.store, run.id, "east", op, found, journal_entry(run.id, found))
    assert scene.journal(run) == [
        "web-1 measure: done (steal 14 % -> 0.0 %, load 0.99 for 22 GiB in 45 s, about 0.5 s down)"
    ]


def test_what_was_seen_before_is_kept_once(scene: Scene) -> None:
    plan = plan_balance(scene.cloud.snapshot(), POLICY)
    run_id, _ = submit(scene.store, plan, "east", policy_text(None), scene.sim.now())
    note_before(scene.store, run_id, plan, scene.cloud, look_before(scene.cloud))
    first = before_of(scene.store, run_id)
    scene.demand.set(0, 1.0)
    scene.sim.advance(300.0)
    note_before(scene.store, run_id, plan, scene.cloud, look_before(scene.cloud))
    assert before_of(scene.store, run_id) == first


def test_stopped_while_it_waits_a_worker_measures_later(scene: Scene) -> None:
    run = scene.made()
    assert scene.book(run, stopping=True) is None
    assert scene.said[-1] == f"1 move not measured yet: a worker does it, or `watari runs resume {run.id}`"
    scene.due()
    assert scene.journal(run) == []  # the meter's window still tells of before
    scene.sim.advance(60.0)
    scene.due()
    assert scene.journal(run) == [HELPED]
    assert scene.book(run) == 0


def test_after_an_hour_it_is_booked_as_not_measured(scene: Scene) -> None:
    run = scene.made()
    scene.sim.advance(HOUR_S + 60.0)
    scene.due()
    assert scene.journal(run) == [
        "web-1 measure: skipped (not measured: it was not measured in time; it cost 22 GiB in 45 s, about 0.5 s down)"
    ]
    assert runs_to_measure(scene.store, "balance", NOON) == []


def test_loads_that_are_late_are_waited_for(scene: Scene) -> None:
    run = scene.made()
    at_s = (scene.sim.now() - NOON).total_seconds()
    scene.sim.faults.add(NoMetrics(HostName("h2"), at_s, at_s + 70.0))
    assert scene.book(run) == 0
    assert scene.journal(run) == [HELPED]


def test_loads_that_do_not_come_are_left_to_whoever_looks_later(scene: Scene) -> None:
    run = scene.made()
    at_s = (scene.sim.now() - NOON).total_seconds()
    scene.sim.faults.add(NoMetrics(HostName("h2"), at_s, at_s + 600.0))
    scene.book(run)
    assert scene.journal(run) == []
    assert runs_to_measure(scene.store, "balance", NOON) == [(run.id, "east")]
    scene.sim.advance(600.0)
    measure_due(scene.store, run.id, scene.cloud, scene.said.append)
    assert scene.journal(run) == [HELPED]


@pytest.mark.parametrize(("error", "looks"), [(Transient("503"), 2), (Permanent("401"), 1)])
def test_a_cloud_that_does_not_answer_fails_no_run(scene: Scene, error: Exception, looks: int) -> None:
    run, asked = scene.made(), []

    def recall(snapshot: ComputeSnapshot) -> ComputeSnapshot:
        asked.append(snapshot.taken_at)
        if len(asked) == 1:
            raise error
        return snapshot

    scene.cloud.recall = recall
    scene.book(run)
    assert len(asked) == looks
    assert len(scene.journal(run)) == looks - 1


def test_without_a_meter_it_is_booked_at_once_as_not_measured(scene: Scene) -> None:
    run = scene.made()
    scene.sim.faults.add(NoMetrics(HostName("h2"), 0.0, 1e9))
    scene.cloud.settle_s = 0.0
    scene.book(run)
    assert scene.journal(run)[0].startswith("web-1 measure: skipped (not measured: ")


def test_a_move_that_did_not_help_is_said_and_the_next_plan_knows(scene: Scene) -> None:
    run = scene.made()
    scene.demand.set(0, 7.9)
    for server in range(1, 5):
        scene.sim.start_live_migration(scene.sim.server_ids[server], HostName("h2"))
    scene.sim.advance(600.0)  # somebody moved all of h1 after it: nothing was gained
    scene.book(run)
    assert scene.said[-1].startswith("web-1 h1 -> h2 did not help: steal 14 % -> 14 %")
    known = with_benefits(scene.cloud.snapshot(), scene.store, "east")
    assert [m.benefit for m in known.past if m.server == "web-1"] == [0.0]
    made = plan_balance(known, POLICY)
    assert [f.code for f in made.findings] == ["no-help"]
    assert "web-1" not in [op.name for op in made.operations]
    assert with_benefits(known, scene.store, "west").past == known.past
    assert recent(scene.store, "east", scene.sim.now()) == []


def test_a_real_cloud_reads_them_from_the_usual_database(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    run = scene.made()
    scene.book(run)
    seen = scene.cloud.snapshot()
    monkeypatch.setenv("WATARI_DATABASE", str(scene.store.file))
    assert [m.benefit for m in recalled(seen, "east").past] == [pytest.approx(0.138, abs=0.001)]
    missing = scene.store.file.with_name("none.db")
    monkeypatch.setenv("WATARI_DATABASE", str(missing))
    assert recalled(seen, "east") == seen
    assert not missing.exists()
    missing.write_text("not a database, and long enough to be taken for a damaged one" * 20)
    assert recalled(seen, "east") == seen


def test_other_jobs_are_not_measured(scene: Scene) -> None:
    plan = replace(plan_balance(scene.cloud.snapshot(), POLICY), job="undo")
    run_id, _ = submit(scene.store, plan, "east", policy_text(None), scene.sim.now())
    note_before(scene.store, run_id, plan, scene.cloud, look_before(scene.cloud))
    assert before_of(scene.store, run_id) == {}
    scene.carry_out(run_id, plan)
    run = load_run(scene.store, run_id)
    assert scene.book(run) is None
    assert (scene.said, scene.journal(run)) == ([], [])


def test_a_cloud_that_cannot_be_opened_is_said_once(scene: Scene) -> None:
    run = scene.made()
    scene.sim.advance(60.0)

    def opened(name: str) -> Cloud:
        raise Permanent(f"no cloud {name}")

    due = Due(scene.store, scene.said.append, opened, scene.sim.now)
    for _ in range(2):
        due.look()
        due._next = 0.0
    assert scene.said == [f"what {run.id} brought cannot be measured: no cloud east"]
