"""What Watari may do in a cluster, and whom its pods may talk to: what it needs, and no more."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from unit.deploy.rendered import KUSTOMIZE, OVERLAYS, ROOT, documents, of, pods, rendered
from watari.drivers.orchestrators import kubernetes

CALL = re.compile(r"(?P<verb>list|read|patch|create|replace|delete)(?:_namespaced)?_(?P<what>node|pod)(?P<part>_\w+)?")
VERBS = {"read": "get", "replace": "update"}
ANYWHERE = "_for_all_namespaces"


def called() -> set[tuple[str, str]]:
    """Verbs and resources of the calls that the driver's source makes."""
    tree = ast.parse(Path(kubernetes.__file__).read_text(encoding="utf-8"))
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_core"
    }
    found = set()
    for name in names:
        match = CALL.fullmatch(name)
        assert match, f"{name}: teach this test what it needs"
        part = (match["part"] or "").removeprefix(ANYWHERE).lstrip("_")
        found.add((VERBS.get(match["verb"], match["verb"]), f"{match['what']}s" + (f"/{part}" if part else "")))
    return found


def granted(role: dict[str, Any]) -> set[tuple[str, str]]:
    assert all(rule["apiGroups"] == [""] for rule in role["rules"])
    return {(verb, what) for rule in role["rules"] for what in rule["resources"] for verb in rule["verbs"]}


def test_the_role_allows_what_the_driver_calls_and_nothing_else() -> None:
    roles = [d for d in documents(KUSTOMIZE / "components/orchestrator/rbac.yaml") if d["kind"] == "ClusterRole"]
    assert called() == granted(roles[0])
    assert len(roles) == 1


def test_the_reference_says_the_same() -> None:
    page = (ROOT / "docs/reference/orchestrators.md").read_text()
    (said,) = re.findall(r"^Rights: (.+)\.$", page, re.MULTILINE)
    told = {
        (verb, what) for what, verbs in re.findall(r"`([\w/]+)` ([\w, ]+)", said) for verb in verbs.strip().split(", ")
    }
    assert told == called()


def test_a_pod_has_a_token_only_where_the_role_is() -> None:
    for name, wanted in (("base", False), ("overlays/sqlite", False), ("overlays/example", True)):
        objects = rendered(name)
        assert bool(of(objects, "ClusterRole")) is wanted
        assert {pod["automountServiceAccountToken"] for _, pod in pods(objects)} == {wanted}


def test_the_rights_go_to_the_account_of_the_pods() -> None:
    objects = rendered("overlays/example")
    (binding,) = of(objects, "ClusterRoleBinding").values()
    (account,) = of(objects, "ServiceAccount").values()
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": account["metadata"]["namespace"]}
    ]
    assert binding["roleRef"]["name"] in of(objects, "ClusterRole")


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_comes_in_and_goes_out_but_what_is_said(name: str) -> None:
    policies = of(rendered(name), "NetworkPolicy")
    nothing = policies.pop("watari-nothing")["spec"]
    assert nothing == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "watari"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    for policy in policies.values():
        for rule in (*policy["spec"].get("egress", ()), *policy["spec"].get("ingress", ())):
            assert rule["ports"], "never all of them"
    open_to_all = {
        found for found, policy in policies.items() if any("to" not in r for r in policy["spec"].get("egress", ()))
    }
    assert open_to_all == ({"watari-to-kubernetes"} if name == "overlays/example" else set())


def test_addresses_that_nobody_has_stand_only_where_yours_belong() -> None:
    assert "192.0.2." not in str(rendered("overlays/example")), "the example shows every place"
    placeholders = {n for n, p in of(rendered("base"), "NetworkPolicy").items() if "192.0.2." in str(p)}
    assert placeholders == {"watari-to-database", "watari-to-openstack"}
