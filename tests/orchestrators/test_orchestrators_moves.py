"""A node of Kubernetes, by its real client, moves through every fault of its API: it ends schedulable, or is told of.

The API is kmock's; the cloud is simulated, and so is its time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrators import cluster, consul
from unit.act.test_act_orchestrated import H1, H2, Bench
from watari.act.journal import Run
from watari.drivers.clock import RealTime
from watari.drivers.orchestrators import Surroundings, open_orchestrators
from watari.jobs.balance import plan
from watari.ports import Orchestrator

NODE = "web-1"  # called like its server


@dataclass
class Scene:
    made: cluster.Cluster
    bench: Bench
    kubeconfig: Path

    def opened(self) -> dict[str, Orchestrator]:
        """The orchestrators as a new process has them."""
        section = {"kind": "kubernetes", "name": "k8s", "kubeconfig": str(self.kubeconfig), "timeout": "2s"}
        return open_orchestrators([section], Surroundings(RealTime(), "clouds.yaml: here.watari"))

    def restart(self) -> None:
        self.bench.both = self.opened()  # type: ignore[assignment]
        self.bench.executor = self.bench.restarted()

    @property
    def is_schedulable(self) -> bool:
        return self.made.schedulable(NODE)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with cluster.running() as made:
        made.add_node(NODE)
        made.add_node("web-9")
        made.pods = [cluster.Pod("app-1", NODE), cluster.Pod("logs-1", NODE, "DaemonSet")]
        bench = Bench(attach_deadline_s=60.0, detach_deadline_s=90.0)
        found = Scene(made, bench, made.kubeconfig(tmp_path / "kubeconfig"))
        found.restart()
        bench.run = bench.executor.submit(plan(bench.snapshot(), bench.policy))
        assert [str(step) for step in bench.record.operation.steps] == [
            "detach web-1 from k8s",
            "live-migrate web-1 h1 -> h2",
            "attach web-1 to k8s",
        ]
        yield found


def test_it_is_drained_moved_and_schedulable_again(scene: Scene) -> None:
    scene.bench.until_true(lambda: scene.bench.steps()[0] == "running")
    assert not scene.is_schedulable
    scene.bench.until("done")
    assert scene.bench.host() == H2
    assert scene.is_schedulable
    assert scene.made.evictions.count("app-1") >= 1
    assert "logs-1" not in scene.made.evictions, "daemons stay, as kubectl drain leaves them"


def test_a_budget_that_refuses_for_ever_leaves_it_where_it_is(scene: Scene) -> None:
    scene.made.pods.append(
        cluster.Pod("db-0", NODE, "StatefulSet", blocked=(429, "it would violate the disruption budget"))
    )
    scene.bench.until("undone")
    assert scene.bench.host() == H1
    assert scene.is_schedulable
    assert "default/db-0" in scene.bench.record.note
    assert "disruption budget" in scene.bench.record.note
    assert scene.bench.run.left_out() == []
    assert scene.made.evictions.count("db-0") > 3, "it was asked again and again"


def test_an_api_that_is_away_before_the_move_leaves_everything_as_it_is(scene: Scene) -> None:
    scene.made.emulator.fate = 503
    scene.bench.until("skipped")
    scene.made.emulator.fate = 0
    assert scene.bench.host() == H1
    assert scene.is_schedulable


def test_an_api_that_is_away_during_the_move_is_waited_for(scene: Scene) -> None:
    scene.bench.until_true(lambda: scene.bench.steps()[1] == "running")
    scene.made.emulator.fate = 503
    scene.bench.until_true(lambda: scene.bench.host() == H2)
    scene.bench.executor.tick()
    scene.made.emulator.fate = 0
    scene.bench.until("done")
    assert scene.is_schedulable


def test_an_api_that_stays_away_after_the_move_is_the_loudest_failure(scene: Scene) -> None:
    scene.bench.until_true(lambda: scene.bench.steps()[1] == "running")
    scene.made.emulator.fate = 503
    scene.bench.until("failed")
    assert scene.bench.host() == H2
    assert scene.bench.record.note.startswith("IS OUT OF SERVICE in k8s: ")
    assert [r.step.member for r in scene.bench.run.left_out()] == [NODE]  # type: ignore[union-attr]
    scene.made.emulator.fate = 0
    assert not scene.is_schedulable
    assert NODE in scene.opened()["k8s"].left_out(), "whoever looks later is told, too"


def test_a_node_that_is_not_ready_after_its_move_is_told_of(scene: Scene) -> None:
    scene.bench.until_true(lambda: scene.bench.steps()[1] == "running")
    scene.made.set_ready(NODE, False)
    scene.bench.until("failed")
    assert scene.bench.host() == H2
    assert "Ready" in scene.bench.record.note or "kubelet" in scene.bench.record.note
    assert [r.step.member for r in scene.bench.run.left_out()] == [NODE]  # type: ignore[union-attr]


@pytest.mark.parametrize("step", [0, 1])
def test_killed_between_detach_and_attach_it_is_schedulable_after_a_resume(scene: Scene, step: int) -> None:
    scene.bench.until_true(lambda: scene.bench.steps()[step] == "running")
    assert not scene.is_schedulable
    scene.restart()  # the process is gone: the next one applies the same plan
    scene.bench.run = Run.of(scene.bench.run.plan, scene.bench.cloud.now())
    scene.bench.executor.runs.append(scene.bench.run)
    scene.bench.until_true(lambda: scene.bench.run.over)
    assert scene.bench.host() == H2
    assert scene.is_schedulable


def test_a_catalog_of_consul_that_lags_behind_its_agent_is_waited_for() -> None:
    with consul.running() as made:
        node = made.add(consul.Node("web-1", "fd00::7", {"web": "passing"}, lags=True))
        made.add(consul.Node("web-2", "10.0.0.2", {"web": "passing"}))
        assert made.served is not None
        url = made.served.url
        section = {
            "kind": "consul",
            "name": "it",
            "address": url,
            "agent": f"{url}/agent/{{node}}",
            "token": consul.TOKEN,
        }
        around = Surroundings(RealTime(), "clouds.yaml: here.watari")
        it = open_orchestrators([section], around)["it"]
        it.detach("web-1", "watari: it is being moved")
        standing = it.standing("web-1")
        assert standing is not None
        assert (standing.out, standing.ours, standing.left) == (True, True, "the catalog does not show it yet")
        later = open_orchestrators([section], around)["it"]  # another process, which was told nothing
        later.attach("web-1", "")
        assert node.maintenance is None


def test_a_node_of_one_name_in_two_orchestrators_is_put_back_into_the_second_although_the_first_fails() -> None:
    bench = Bench(attach_deadline_s=30.0)
    bench.k8s.nodes, bench.lb.nodes = {"web-1": bench.k8s.nodes["n1"]}, {"web-1": bench.lb.nodes["s1"]}
    bench.executor = bench.restarted()
    bench.run = bench.executor.submit(plan(bench.snapshot(), bench.policy))
    bench.lb.stubborn = True  # the last to be left is the first to come back
    bench.until("failed")
    assert bench.host() == H2
    assert bench.k8s.left_out() == {}, "nobody forgot the other one"
    assert [str(r.step) for r in bench.run.left_out()] == ["attach web-1 to lb"]
    assert bench.run.stopping, "no more are taken out"


@pytest.mark.parametrize("cancel", [False, True])
def test_an_api_that_never_answers_again_while_it_leaves_ends_in_time(scene: Scene, cancel: bool) -> None:
    held = cluster.Pod("db-0", NODE, "StatefulSet", blocked=(429, "no room"))
    scene.made.pods.append(held)
    scene.bench.until_true(lambda: scene.bench.steps()[0] == "running")
    scene.made.emulator.fate = 503
    scene.bench.run.cancelled = cancel
    scene.bench.until("failed")
    assert scene.bench.host() == H1
    assert "OUT OF SERVICE" in scene.bench.record.note
