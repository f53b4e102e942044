"""What the pods may do, how they end, and that they run commands that there are."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from unit.deploy.rendered import KUSTOMIZE, OVERLAYS, Object, container, of, pods, rendered, unknown
from watari.policy.load import load_policy, parse_policy

METRICS, API = 9178, 8765
CLOUDS = """
clouds:
  prod:
    auth: {auth_url: "http://127.0.0.1:1/v3", username: watari, password: none, project_name: admin,
           user_domain_name: Default, project_domain_name: Default}
    region_name: prod
"""


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_commands_are_watari_s_and_their_ports_those_of_the_pod(name: str) -> None:
    objects = rendered(name)
    controller = container(dict(pods(objects))["watari-controller"])
    assert unknown(controller["args"]) == []
    assert "--api-keystone=$(WATARI_CLOUD)" in controller["args"], "beyond loopback nobody is let in without a name"
    assert {f"--api=0.0.0.0:{API}", f"--metrics=0.0.0.0:{METRICS}"} <= set(controller["args"])
    assert {p["name"]: p["containerPort"] for p in controller["ports"]} == {"api": API, "metrics": METRICS}
    if worker := dict(pods(objects)).get("watari-worker"):
        assert container(worker)["args"] == ["worker"]
        assert unknown(["worker"]) == []
    (service,) = of(objects, "Service").values()
    assert {p["targetPort"] for p in service["spec"]["ports"]} == {"api", "metrics"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_variables_in_arguments_are_set(name: str) -> None:
    for _, pod in pods(rendered(name)):
        only = container(pod)
        wanted = set(re.findall(r"\$\((\w+)\)", " ".join(only["args"])))
        assert wanted <= {variable["name"] for variable in only["env"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_keep_the_restricted_standard_and_write_only_where_a_volume_is(name: str) -> None:
    for _, pod in pods(rendered(name)):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 65532
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {"hostPath"}.isdisjoint(key for volume in pod["volumes"] for key in volume)
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        writable = {m["mountPath"] for m in container(pod)["volumeMounts"] if not m.get("readOnly")}
        assert writable == {"/tmp", "/var/lib/watari"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_is_in_it_and_none_is_in_an_argument_or_a_variable(name: str) -> None:
    objects = rendered(name)
    assert not of(objects, "Secret")
    for _, pod in pods(objects):
        assert all("secretKeyRef" not in str(variable) for variable in container(pod)["env"])
        assert not re.search(r"://[^/]*:[^/]*@|password|token", " ".join(container(pod)["args"]))
        for volume in pod["volumes"]:
            assert volume.get("secret", {}).get("defaultMode", 0o440) == 0o440, "the group's, and nobody else's"


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_that_ends_has_as_long_as_what_is_under_way_may_stand_still(name: str) -> None:
    policy = load_policy()
    out, back = policy.orchestration.detach_deadline_s, policy.orchestration.attach_deadline_s
    for _, pod in pods(rendered(name)):
        assert pod["terminationGracePeriodSeconds"] == out + policy.budgets.stalled_after_s + back


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_policy_is_one_that_watari_reads(name: str) -> None:
    """Under a name that stays, so that it is read anew without a restart, as a whole folder: single files stay old."""
    objects = rendered(name)
    policy = parse_policy(of(objects, "ConfigMap")["watari-policy"]["data"]["policy.yaml"], "policy.yaml")
    assert policy.serve.balance == "suggest", "nobody's servers move because somebody tried this out"
    for _, pod in pods(objects):
        assert all("subPath" not in mount for mount in container(pod)["volumeMounts"])


def test_with_postgresql_two_controllers_live_on_two_nodes_and_one_of_each_may_be_away() -> None:
    objects = rendered("base")
    deployments = of(objects, "Deployment")
    assert deployments["watari-controller"]["spec"]["replicas"] == 2
    spread = dict(pods(objects))["watari-controller"]["topologySpreadConstraints"]
    assert ("kubernetes.io/hostname", "DoNotSchedule") in {(s["topologyKey"], s["whenUnsatisfiable"]) for s in spread}
    assert {name: b["spec"]["maxUnavailable"] for name, b in of(objects, "PodDisruptionBudget").items()} == {
        "watari-controller": 1,
        "watari-worker": 1,
    }


def test_on_sqlite_there_is_one_process_that_ends_before_the_next_begins() -> None:
    objects = rendered("overlays/sqlite")
    (deployment,) = of(objects, "Deployment").values()
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    pod: Object = deployment["spec"]["template"]["spec"]
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "watari-state"}} in pod["volumes"]
    assert "DATABASE" not in str(pod)
    assert not of(objects, "PodDisruptionBudget"), "one of one would keep its node from being emptied for ever"
    assert "watari-to-database" not in of(objects, "NetworkPolicy")


def test_the_pod_s_own_command_answers_its_probes_and_ends_well(tmp_path: Path) -> None:
    """With a cloud that does not answer: it lives, and the database is there."""
    only = container(dict(pods(rendered("overlays/sqlite")))["watari-controller"])
    ports = {f"0.0.0.0:{port}": f"127.0.0.1:{free_port()}" for port in (API, METRICS)}
    given = {"$(WATARI_CLOUD)": "prod", "/etc/watari/": f"{KUSTOMIZE / 'base'}/", **ports}
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "WATARI_"))}
    own = {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml"), "WATARI_STATE_DIR": str(tmp_path)}
    controller = subprocess.Popen(
        [sys.executable, "-m", "watari", *(replaced(word, given) for word in only["args"])], env=kept | own,
        cwd=tmp_path, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert controller.stdout is not None
        said: list[str] = []
        while not said or "looking after it" not in said[-1]:
            said.append(controller.stdout.readline())
            assert said[-1], said
        assert any(f"metrics on http://{ports[f'0.0.0.0:{METRICS}']}/metrics" in line for line in said)
        for kind in ("startup", "liveness", "readiness"):
            path = only[f"{kind}Probe"]["httpGet"]["path"]
            answer = httpx.get(f"http://{ports[f'0.0.0.0:{API}']}{path}", trust_env=False)
            assert (answer.status_code, answer.text) == (200, "ok\n")
        controller.terminate()
        assert controller.wait(60) == 0
    finally:
        controller.kill()
        controller.communicate()


def replaced(word: str, given: dict[str, str]) -> str:
    for old, new in given.items():
        word = word.replace(old, new)
    return word


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_probes_ask_whether_it_lives_and_whether_it_is_ready() -> None:
    only = container(dict(pods(rendered("base")))["watari-controller"])
    asked = {kind: only[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/healthz", "port": "api"},
        "liveness": {"path": "/healthz", "port": "api"},
        "readiness": {"path": "/readyz", "port": "api"},
    }
