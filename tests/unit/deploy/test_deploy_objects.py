"""Every object for Kubernetes is one that an API server would take, and says what the others need of it."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from unit.deploy.rendered import DEPLOY, KUSTOMIZE, OVERLAYS, Object, documents, of, pods, rendered

OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()
RULES = DEPLOY / "prometheus" / "watari.rules.yaml"
PROMETHEUS = KUSTOMIZE / "components" / "prometheus"
OPERATOR = "monitoring.coreos.com/v1"  # its kinds are no part of Kubernetes: nothing here knows their schema
KUSTOMIZATIONS = sorted(KUSTOMIZE.rglob("kustomization.yaml"))


def validate(each: Object) -> None:
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_api_server_would_take_every_object(name: str) -> None:
    objects = [each for each in rendered(name) if each["apiVersion"] != OPERATOR]
    assert len(objects) > 10
    for each in objects:
        validate(each)


@pytest.mark.parametrize("folder", ["base", "components/orchestrator"])
def test_the_files_are_right_by_themselves(folder: str) -> None:
    """Where nothing renders kustomizations at least these are looked at."""
    wanted = yaml.safe_load((KUSTOMIZE / folder / "kustomization.yaml").read_text())["resources"]
    found = [each for file in wanted for each in documents(KUSTOMIZE / folder / file)]
    assert found
    for each in found:
        validate(each)


def test_a_wrong_object_would_be_found() -> None:
    (wrong,) = documents(KUSTOMIZE / "base" / "serviceaccount.yaml")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(wrong | {"automountServiceAccountTokens": False})


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_every_file_that_is_named_is_there_and_every_file_is_named(path: Path) -> None:
    made = yaml.safe_load(path.read_text())
    named = [*made.get("resources", ()), *made.get("components", ())]
    named += [patch["path"] for patch in made.get("patches", ()) if "path" in patch]
    named += [file for generator in made.get("configMapGenerator", ()) for file in generator.get("files", ())]
    assert all((path.parent / each).exists() for each in named), named
    assert {each.name for each in path.parent.iterdir() if each.is_file()} == {
        path.name,
        *(each for each in named if (path.parent / each).is_file()),
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_finds_what_it_mounts_and_reads(name: str) -> None:
    """Secrets are yours, and are the only things that are not there."""
    objects = rendered(name)
    maps, claims = of(objects, "ConfigMap"), of(objects, "PersistentVolumeClaim")
    for _, pod in pods(objects):
        (container,) = pod["containers"]
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        for volume in pod["volumes"]:
            assert volume.get("configMap", {}).get("name", "") in {"", *maps}
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "") in {"", *claims}
        for variable in container["env"]:
            if source := variable.get("valueFrom"):
                wanted = source["configMapKeyRef"]
                assert wanted["key"] in maps[wanted["name"]]["data"]
        assert pod["serviceAccountName"] in of(objects, "ServiceAccount")


@pytest.mark.parametrize("name", OVERLAYS)
def test_selectors_choose_pods_of_ours_and_no_others(name: str) -> None:
    objects = rendered(name)
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in of(objects, "Deployment").values()]
    selectors: list[dict[str, Any]] = [s["spec"]["selector"] for s in of(objects, "Service").values()]
    selectors += [b["spec"]["selector"]["matchLabels"] for b in of(objects, "PodDisruptionBudget").values()]
    selectors += [p["spec"]["podSelector"]["matchLabels"] for p in of(objects, "NetworkPolicy").values()]
    selectors += [d["spec"]["selector"]["matchLabels"] for d in of(objects, "Deployment").values()]
    for selector in selectors:
        assert selector["app.kubernetes.io/name"] == "watari"
        assert any(selector.items() <= each.items() for each in labels), selector


def test_the_operator_s_rules_are_the_rules(rewrite: bool) -> None:
    path, groups = PROMETHEUS / "prometheusrule.yaml", yaml.safe_load(RULES.read_text())["groups"]
    wanted = {
        "apiVersion": OPERATOR,
        "kind": "PrometheusRule",
        "metadata": {"name": "watari", "labels": {"app.kubernetes.io/name": "watari"}},
        "spec": {"groups": groups},
    }
    if rewrite:
        head = "# Made of deploy/prometheus/watari.rules.yaml: change that, then pytest tests/unit/deploy --rewrite.\n"
        path.write_text(head + yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, width=120))
    assert documents(path) == [wanted]


def test_the_operator_scrapes_the_service_s_port_for_metrics() -> None:
    (monitor,) = documents(PROMETHEUS / "servicemonitor.yaml")
    (service,) = of(rendered("base"), "Service").values()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [e["port"] for e in monitor["spec"]["endpoints"]] == ["metrics"]
    assert "metrics" in {p["name"] for p in service["spec"]["ports"]}
