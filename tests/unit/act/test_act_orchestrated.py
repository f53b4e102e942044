"""A move whose server works for orchestrators: out of all of them, moved, and back into all of them whatever fails."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from stage.api import Api
from stage.cast import Cast
from stage.directives import DAY
from watari.act.guard import Guard
from watari.act.handlers import handlers
from watari.act.journal import Entry, OperationRecord, Run
from watari.act.virtual import VirtualExecutor
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Faults, MigrationFails
from watari.drivers.sim.orchestrator import Node, SimOrchestrator
from watari.jobs.balance import plan
from watari.model.compute import ComputeSnapshot, HostName, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.steps import Attach, Detach
from watari.policy.values import Orchestration, Policy, Window

WEB, H1, H2 = ServerId("web-1"), HostName("h1"), HostName("h2")
LATE_S = 3600.0


class Bench:
    """web-1 works for `k8s` (as n1, three pods that leave in 30 s) and for `lb` (as s1)."""

    def __init__(self, servers: str = "web-1", **orchestration: float) -> None:
        cast = Cast()
        cast.add_hosts("az1", ["h1", "h2", "h3"], {})
        cast.add_servers("h1", "web-1", "8", "8G", {"demand": "7"})
        cast.add_servers("h1", "web-2..4", "8", "32G", {"demand": "7"})
        self.faults = Faults()
        self.cloud = SimCloud(cast.spec(), cast.scripted(), DAY, faults=self.faults)
        self.api = Api(self.cloud, dict(cast.hosts))
        self.k8s = SimOrchestrator("k8s", self.cloud, {"n1": Node(WEB, work=3, leaves_s=10.0)})
        self.lb = SimOrchestrator("lb", self.cloud, {"s1": Node(WEB)})
        self.both = {"k8s": self.k8s, "lb": self.lb}
        self.journal: list[Entry] = []
        settings = Orchestration(**{"detach_deadline_s": 300.0, "attach_deadline_s": 120.0, **orchestration})  # type: ignore
        self.policy = replace(Policy(), orchestration=settings)
        self.executor = self.restarted()
        self.run = self.executor.submit(plan(self.snapshot(), self.policy))

    def snapshot(self) -> ComputeSnapshot:
        return compute_snapshot(self.api, self.cloud, self.cloud, self.both.values())

    def restarted(self) -> VirtualExecutor:
        """An executor as a new process has it: it knows nothing of before."""
        verbs = handlers(self.api, None, self.both)
        return VirtualExecutor(verbs, Guard(self.policy, self.api.claims), self.cloud, self.journal.append)

    @property
    def record(self) -> OperationRecord:
        (record,) = self.run.operations
        return record

    def until(self, state: str, most_s: float = LATE_S) -> None:
        self.until_true(lambda: self.record.state == state, most_s)

    def until_true(self, true: Callable[[], bool], most_s: float = LATE_S) -> None:
        end = self.cloud.now() + timedelta(seconds=most_s)
        while not true():
            assert self.cloud.now() < end, self.told()
            self.executor.tick()
            self.cloud.advance(1.0)

    def told(self) -> list[str]:
        return [f"{e.step} {e.state} {e.text}".strip() for e in self.journal]

    def steps(self) -> list[str]:
        return [r.state for r in self.record.steps]

    def is_back(self) -> bool:
        return not self.k8s.left_out() and not self.lb.left_out()

    def host(self) -> HostName:
        found = self.cloud.locate(WEB)
        assert found is not None
        return found.host


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_plan_says_what_the_server_leaves(bench: Bench) -> None:
    words = [str(step) for step in bench.record.operation.steps]
    assert words == [
        "detach n1 from k8s", "detach s1 from lb", "live-migrate web-1 h1 -> h2", "attach s1 to lb",
        "attach n1 to k8s",
    ]  # fmt: skip


def test_it_leaves_all_moves_and_comes_back_in_reverse(bench: Bench) -> None:
    bench.until("done")
    assert bench.host() == H2
    assert bench.is_back()
    order = [e.step.split()[0] for e in bench.journal if e.state == "intended"]
    assert order == ["detach", "detach", "live-migrate", "attach", "attach"]
    began = {e.step: e.at for e in bench.journal if e.state == "intended"}
    assert began["live-migrate h1 -> h2"] - began["detach n1 from k8s"] >= timedelta(seconds=30), "when it was empty"


def test_while_it_is_out_it_holds_its_places(bench: Bench) -> None:
    bench.until("running")
    (held,) = bench.executor.under_way()
    assert (held.source, held.target, held.role, held.orchestrators) == (H1, H2, "web", ("k8s", "lb"))
    bench.until("done")
    assert not list(bench.executor.under_way())


def test_a_move_that_fails_puts_it_back(bench: Bench) -> None:
    bench.faults.add(MigrationFails(0.5, WEB))
    bench.until("failed")
    assert bench.host() == H1
    assert bench.is_back()
    assert bench.steps() == ["undone", "undone", "failed", "skipped", "skipped"]


def test_what_never_gets_empty_goes_back_and_does_not_move(bench: Bench) -> None:
    bench.k8s.nodes["n1"].leaves_s = 1e9
    bench.until("undone")
    assert bench.host() == H1
    assert bench.is_back()
    assert "not empty after 5 min: 3 pieces of work" in bench.record.note
    assert not [e for e in bench.journal if e.step.startswith("live-migrate") and e.state == "intended"]
    assert bench.k8s.calls.count("detach n1") > 5, "it was asked again and again to let go"


def test_before_the_orchestrator_answers_nothing_is_touched(bench: Bench) -> None:
    bench.k8s.down = True
    bench.until("skipped")
    assert (bench.host(), bench.lb.calls) == (H1, [])
    assert "k8s does not answer" in bench.record.note


def test_a_member_that_is_needed_is_left_alone(bench: Bench) -> None:
    bench.lb.nodes["s1"].needed = "it is the last server of web that is up"
    bench.until("undone")
    assert "lb needs s1 now: it is the last server of web that is up" in " ".join(bench.told())
    assert bench.host() == H1
    assert bench.is_back()
    assert bench.k8s.calls[-1] == "attach n1", "it had left the first one already"


def test_an_orchestrator_that_falls_silent_during_the_move_is_waited_for(bench: Bench) -> None:
    bench.until_true(lambda: bench.record.steps[2].state == "running")
    bench.k8s.down = bench.lb.down = True
    bench.until_true(lambda: bench.host() == H2)
    bench.cloud.advance(60.0)
    bench.k8s.down = bench.lb.down = False
    bench.until("done")
    assert bench.is_back()


def test_a_failed_attach_says_so_as_loud_as_it_can(bench: Bench) -> None:
    bench.k8s.stubborn = True
    bench.until("failed")
    assert bench.host() == H2
    assert bench.record.steps[-1].note == "not back after 2 min: watari: server web-1 is being moved"
    assert bench.k8s.calls.count("attach n1") > 5
    assert not bench.lb.left_out()
    assert bench.steps()[:4] == ["done"] * 4, "what is done is not undone: it is where it should be"


def test_an_orchestrator_that_stays_silent_after_the_move_is_a_failure(bench: Bench) -> None:
    bench.until_true(lambda: bench.record.steps[2].state == "running")
    bench.k8s.down = True
    bench.until("failed")
    assert "IS OUT OF SERVICE in k8s: k8s does not answer" in bench.record.note


def test_cancelled_while_it_leaves_it_goes_back(bench: Bench) -> None:
    bench.until("running")
    bench.run.cancelled = True
    bench.until("undone")
    assert bench.host() == H1
    assert bench.is_back()


def test_cancelled_while_it_comes_back_it_comes_back(bench: Bench) -> None:
    bench.k8s.nodes["n1"].back_s = 30.0
    bench.until_true(lambda: bench.record.steps[4].state == "running")
    bench.run.cancelled = True
    bench.until("done")
    assert bench.is_back()


def test_the_stop_switch_between_leaving_and_moving_puts_it_back(bench: Bench) -> None:
    bench.until("running")
    bench.executor.guard.stopped = "maintenance of the switches"
    bench.until("undone")
    assert bench.host() == H1
    assert bench.is_back()
    assert "stopped: maintenance of the switches" in " ".join(bench.told())


def test_a_plan_that_expires_while_it_leaves_goes_on(bench: Bench) -> None:
    bench.until("running")
    bench.run.plan = replace(bench.run.plan, expires_at=bench.cloud.now())
    bench.until("done")
    assert bench.is_back()


def test_what_somebody_else_took_out_is_moved_and_stays_out(bench: Bench) -> None:
    bench.k8s.nodes["n1"].reason = "new disk"
    bench.until("done")
    assert bench.host() == H2
    assert (bench.k8s.nodes["n1"].reason, bench.k8s.calls) == ("new disk", [])
    assert not bench.lb.left_out()
    assert "is out of k8s already, and stays so: new disk" in " ".join(bench.told())


def test_a_member_that_is_gone_is_not_moved(bench: Bench) -> None:
    del bench.lb.nodes["s1"]
    bench.until("undone")
    assert bench.host() == H1
    assert bench.is_back()


def test_somebody_who_puts_it_back_meanwhile_ends_the_move(bench: Bench) -> None:
    bench.until("running")
    bench.k8s.nodes["n1"].reason = ""
    bench.until("undone")
    assert bench.host() == H1
    assert "somebody put n1 back into k8s" in bench.record.note


@pytest.mark.parametrize("moment", range(1, 40))
def test_killed_at_any_moment_the_next_process_brings_everything_to_its_end(moment: int) -> None:
    """After so many entries of the journal the process is gone; the next one applies the same plan."""
    bench = Bench()

    class Killed(Exception):
        pass

    def write(entry: Entry) -> None:
        bench.journal.append(entry)
        if len(bench.journal) == moment:
            raise Killed

    bench.executor.journal = write
    try:
        bench.until("done")
        return  # it had fewer entries
    except Killed:
        pass
    bench.executor = bench.restarted()
    bench.run = Run.of(bench.run.plan, bench.cloud.now())
    bench.executor.runs.append(bench.run)
    bench.until_true(lambda: bench.run.over)
    assert bench.host() == H2
    assert bench.is_back()
    assert len([m for m in bench.cloud.inventory().past if m.server == WEB]) <= 1, "it moved once"


def test_one_member_of_an_orchestrator_at_a_time(bench: Bench) -> None:
    bench.k8s.nodes["n2"] = Node(ServerId("web-2"))
    made = plan(bench.snapshot(), bench.policy)
    (op,) = made.operations
    other = replace(op, subject="web-2", name="web-2")
    guard, held = bench.executor.guard, []
    bench.until("running")
    held = list(bench.executor.under_way())
    verdict = guard.may_start(other, held, bench.cloud.now())
    assert "members of k8s out of service: 1 of 1" in str(verdict)


@pytest.mark.parametrize("out", [("n1",), ("n1", "s1")])
def test_what_is_out_already_waits_for_the_budgets_as_everybody_does(out: tuple[str, ...]) -> None:
    bench = Bench()
    for node in (*bench.k8s.nodes.items(), *bench.lb.nodes.items()):
        if node[0] in out:
            node[1].reason = "new disk"
    quiet = Window(DAY.time(), (DAY + timedelta(minutes=10)).time())
    bench.executor.guard.policy = replace(bench.policy, budgets=replace(bench.policy.budgets, quiet=(quiet,)))
    for _ in range(60):
        bench.executor.tick()
        bench.cloud.advance(1.0)
    assert bench.record.state == "pending", bench.told()
    assert "quiet hours" in bench.record.waits
    assert not list(bench.executor.under_way()), "it holds no place while it waits"
    bench.cloud.advance(600.0)
    bench.until("done")
    assert bench.host() == H2


def test_nobody_is_called_out_of_service_whom_nobody_touched(bench: Bench) -> None:
    del bench.both["k8s"]  # it is not configured here
    bench.until("failed")
    assert "no orchestrator k8s is configured" in bench.record.note
    assert bench.run.left_out() == []


def test_who_was_put_back_by_the_undoing_is_not_called_out_of_service(bench: Bench) -> None:
    bench.until_true(lambda: bench.steps()[2] == "running")
    lost = bench.both.pop("k8s")  # taken out of the configuration in the middle
    bench.until_true(lambda: bench.steps()[4] == "failed")
    assert [r.step.member for r in bench.run.left_out() if isinstance(r.step, Attach | Detach)] == ["n1"]
    detach, attach = bench.record.steps[0], bench.record.steps[4]
    detach.state, attach.asked_at = "undone", None
    assert bench.run.left_out() == []
    assert lost.left_out()
