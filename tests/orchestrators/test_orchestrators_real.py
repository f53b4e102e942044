"""The conformance suite against a real cluster or datacenter of yours. It takes a node out of service and puts it back.

KUBECONFIG=~/.kube/test WATARI_TEST_NODE=worker-1: a node that nothing depends on.
CONSUL_HTTP_ADDR=http://127.0.0.1:8500 CONSUL_HTTP_TOKEN=… WATARI_TEST_NODE=web-1: a node whose agent answers at
http://ADDRESS:8500, or WATARI_TEST_AGENT.
"""

import os

import pytest

from orchestrators.servers import server
from orchestrators.test_orchestrators_conform import opened
from watari.conformance.orchestrator import OrchestratorConformance, OrchestratorWorld

NODE = os.environ.get("WATARI_TEST_NODE", "")
WHY = "needs {} and WATARI_TEST_NODE: a real one"


@pytest.mark.skipif(not (NODE and os.environ.get("KUBECONFIG")), reason=WHY.format("KUBECONFIG"))
class TestRealKubernetes(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> OrchestratorWorld:
        it = opened("kubernetes", kubeconfig=os.environ["KUBECONFIG"])
        return OrchestratorWorld(it, server(NODE), server("no-such-server"), patience_s=300.0)


@pytest.mark.skipif(not (NODE and os.environ.get("CONSUL_HTTP_ADDR")), reason=WHY.format("CONSUL_HTTP_ADDR"))
class TestRealConsul(OrchestratorConformance):
    @pytest.fixture
    def world(self) -> OrchestratorWorld:
        address, token = os.environ["CONSUL_HTTP_ADDR"], os.environ.get("CONSUL_HTTP_TOKEN")
        agent = os.environ.get("WATARI_TEST_AGENT", "http://{address}:8500")
        secret = {"token": token} if token else {}
        it = opened("consul", address=address, agent=agent, settle="1s", **secret)
        return OrchestratorWorld(it, server(NODE), server("no-such-server"), patience_s=120.0)
