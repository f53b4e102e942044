"""The conformance suite, against every orchestrator that comes with Watari.

The simulated one in virtual time, HAProxy and the hook as they are, Kubernetes on kmock, Consul, Nomad and Octavia on
small servers that answer as their documentation says. With KUBECONFIG or CONSUL_HTTP_ADDR set also real ones: see
test_orchestrators_real.py.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from orchestrators import cluster, consul, haproxy, nomad, octavia
from orchestrators.answering import Request, serving
from orchestrators.hook_program import answer as hook_answer
from orchestrators.servers import server
from watari.conformance.orchestrator import OrchestratorConformance, OrchestratorWorld
from watari.drivers.openstack import RealTime
from watari.drivers.orchestrators import Surroundings, open_orchestrators
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.demand import TraceDemand
from watari.drivers.sim.orchestrator import Node, SimOrchestrator
from watari.drivers.sim.spec import SimSpec
from watari.model.compute import Host, HostName, ServerId, ZoneName
from watari.ports import Orchestrator


def opened(kind: str, session: Any = None, **section: Any) -> Orchestrator:
    around = Surroundings(RealTime(), "clouds.yaml: here.watari", session)
    return open_orchestrators([{"kind": kind, "name": "it", **section}], around)["it"]


class TestSimulated(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> OrchestratorWorld:
        import numpy as np

        host = Host(HostName("h1"), ZoneName("az1"), 8, 65536, 100)
        spec = SimSpec("sim", (host,), (server("web-1"),), ())
        clock = SimCloud(spec, TraceDemand(np.zeros((1, 1)), 300.0, spec.vcpus), datetime(2026, 1, 5, tzinfo=UTC))
        nodes = {
            "n1": Node(ServerId("web-1"), work=3, leaves_s=1.0), "n2": Node(ServerId("web-2"), work=1, leaves_s=1e9),
            "n3": Node(ServerId("web-3"), reason="new disk"), "n4": Node(ServerId("web-4"), needed="it is the last"),
        }  # fmt: skip
        it = SimOrchestrator("it", clock, nodes)

        def release() -> None:
            nodes["n2"].leaves_s = 0.0

        def cut() -> None:
            it.down = True

        def mend() -> None:
            it.down = False

        return OrchestratorWorld(
            it, server("web-1"), server("alone"), busy="n2", release=release, theirs="n3", needed="n4", cut=cut,
            mend=mend, pass_s=clock.sleep,
        )  # fmt: skip


class TestKubernetes(OrchestratorConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[OrchestratorWorld]:
        with cluster.running() as made:
            made.add_node("node-1", "openstack:///id-1")
            made.add_node("node-2", "openstack://tokyo/id-2")
            made.add_node("node-3", cordoned=True)
            made.add_node("node-4", ready=False)
            made.add_node("cp-1", labels=("node-role.kubernetes.io/control-plane",))
            held = cluster.Pod("db-0", "node-2", "StatefulSet", blocked=(429, "it would violate the disruption budget"))
            made.pods = [cluster.Pod("web-1", "node-1"), cluster.Pod("logs-1", "node-1", "DaemonSet"), held]
            path = made.kubeconfig(tmp_path / "kubeconfig")

            def release() -> None:
                held.blocked = None

            def cut() -> None:
                made.emulator.fate = 503

            def mend() -> None:
                made.emulator.fate = 0

            yield OrchestratorWorld(
                opened("kubernetes", kubeconfig=str(path)), server("web-1", "id-1"), server("alone", "id-9"),
                busy="node-2", release=release, theirs="node-3", needed="cp-1", sick="node-4", cut=cut, mend=mend,
            )  # fmt: skip


class TestConsul(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> Iterator[OrchestratorWorld]:
        with consul.running() as made:
            for n in (1, 2):
                made.add(consul.Node(f"web-{n}", f"10.0.0.{n}", {"web": "passing"}))
            made.add(consul.Node("web-3", "10.0.0.3", {"web": "passing"}, maintenance="new disk"))
            made.add(consul.Node("db-1", "10.0.0.4", {"db": "passing"}))
            made.add(consul.Node("old-1", "10.0.0.5", {"old": "critical"}))
            assert made.served is not None
            url = made.served.url
            it = opened("consul", address=url, agent=f"{url}/agent/{{node}}", token=consul.TOKEN, settle="1s")

            def cut() -> None:
                assert made.served is not None
                made.served.fate = 500

            def mend() -> None:
                assert made.served is not None
                made.served.fate = 0

            yield OrchestratorWorld(
                it, server("web-1"), server("alone"), theirs="web-3", needed="db-1", sick="old-1", cut=cut, mend=mend
            )


class TestNomad(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> Iterator[OrchestratorWorld]:
        with nomad.running() as made:
            made.add(nomad.Node("web-1", {"web[0]": "service", "logs[0]": "system"}))
            batch = made.add(nomad.Node("web-2", {"report[0]": "batch"}))
            made.add(nomad.Node("web-3", eligible=False, message="new disk"))
            made.add(nomad.Node("web-4", status="down"))
            assert made.served is not None

            def release() -> None:
                batch.finished = True

            def cut() -> None:
                assert made.served is not None
                made.served.fate = 503

            def mend() -> None:
                assert made.served is not None
                made.served.fate = 0

            yield OrchestratorWorld(
                opened("nomad", address=made.served.url), server("web-1"), server("alone"), busy="web-2",
                release=release, theirs="web-3", sick="web-4", cut=cut, mend=mend,
            )  # fmt: skip


class TestOctavia(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> Iterator[OrchestratorWorld]:
        with octavia.running() as made:
            for pool in ("web", "api"):
                made.add(pool, "id-1", "10.0.0.1")
                made.add(pool, "id-2", "10.0.0.2")
            made.add("web", "id-3", "10.0.0.3", weight=0)
            made.add("web", "id-4", "10.0.0.4", status="ERROR")
            made.add("db", "id-5", "10.0.0.5")
            assert made.served is not None
            session = Session(auth=Token(made.served.url, "t"))

            def cut() -> None:
                assert made.served is not None
                made.served.fate = 503

            def mend() -> None:
                assert made.served is not None
                made.served.fate = 0

            yield OrchestratorWorld(
                opened("octavia", session, settle="1s"), server("web-1", "id-1"), server("alone", "id-9"),
                theirs="id-3", needed="id-5", sick="id-4", cut=cut, mend=mend,
            )  # fmt: skip


@pytest.mark.skipif(haproxy.PROGRAM is None, reason=haproxy.MISSING)
class TestHaproxy(OrchestratorConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[OrchestratorWorld]:
        backends = {"busy": ["web-2", "web-3"], "web": ["web-1", "web-3", "web-4", "sick-1"], "db": ["db-1"]}
        with haproxy.running(tmp_path, backends) as made:
            made.command("set server web/web-4 state maint")
            made.command("set server busy/web-3 state drain")
            session = made.open_session()  # so it is on web-2
            made.command("set server busy/web-3 state ready")

            def cut() -> None:
                made.process.kill()
                made.process.wait()

            yield OrchestratorWorld(
                opened("haproxy", sockets=[str(made.admin)]), server("web-1"), server("alone"), busy="web-2",
                release=session.close, theirs="web-4", needed="db-1", sick="sick-1", cut=cut, mend=lambda: None,
                marks=False,
            )  # fmt: skip
            session.close()

    def test_when_it_does_not_answer_every_question_says_so(self, world: OrchestratorWorld) -> None:
        """A process that is gone comes back anew: nothing to attach again."""
        world.attach = lambda member, was: None  # type: ignore[method-assign]
        world.orchestrator.left_out = lambda: world.orchestrator.members([world.server])  # type: ignore
        super().test_when_it_does_not_answer_every_question_says_so(world)


MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "n1": {"server": "id-1"}, "n2": {"server": "id-2", "left": "2 jobs"}, "n3": {"server": "id-3", "out": "new disk"},
    "n4": {"server": "id-4", "needed": "it is the last"}, "n5": {"server": "id-5", "sick": True},
}  # fmt: skip


def hook_world(path: Path, it: Orchestrator) -> OrchestratorWorld:
    path.write_text(json.dumps({"members": MEMBERS}))

    def change(key: str, value: Any, member: str = "") -> None:
        state = json.loads(path.read_text())
        (state["members"][member] if member else state)[key] = value
        path.write_text(json.dumps(state))

    return OrchestratorWorld(
        it, server("web-1", "id-1"), server("alone", "id-9"), busy="n2", release=lambda: change("left", "", "n2"),
        theirs="n3", needed="n4", sick="n5", cut=lambda: change("down", True), mend=lambda: change("down", False),
    )  # fmt: skip


class TestHookCommand(OrchestratorConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> OrchestratorWorld:
        path, program = tmp_path / "pool.json", Path(__file__).with_name("hook_program.py")
        return hook_world(path, opened("hook", command=[sys.executable, str(program), str(path)]))


class TestWebhook(OrchestratorConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[OrchestratorWorld]:
        path = tmp_path / "pool.json"

        def answer(request: Request) -> tuple[int, Any]:
            assert request.headers["Authorization"] == "Bearer secret"
            try:
                return 200, hook_answer(path, request.body)
            except SystemExit as end:
                return (503 if end.code == 75 else 404), "it says no"

        with serving(answer) as served:
            yield hook_world(path, opened("hook", url=served.url, token="secret"))
