"""What Prometheus is told of a controller, and the alerts and the dashboard that are made for it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from watari.act.durable.stops import set_stop
from watari.app.serving.metrics import GAUGES, UP, registry

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "watari.rules.yaml"


def scraped(desk: Desk) -> dict[tuple[str, ...], float]:
    """Samples by name and label values, the cloud left out."""
    text = generate_latest(registry(desk.store)).decode()
    return {
        (s.name, *(v for k, v in s.labels.items() if k != "cloud")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.name.startswith("watari_")
    }


def test_what_the_last_look_saw(sit: Sit) -> None:
    desk = sit("approve")
    assert scraped(desk) == {("watari_database_up",): 1.0, ("watari_controller_up",): 1.0, ("watari_stopped",): 0.0}
    desk.look()
    got = scraped(desk)
    assert 0 <= got.pop(("watari_look_age_seconds",)) < 60
    for name in ("duration", "cpu"):
        assert 0 < got.pop((f"watari_look_{name}_seconds",)) < 60
    assert got == {
        ("watari_database_up",): 1.0,
        ("watari_controller_up",): 1.0,
        ("watari_look_interval_seconds",): 0.3,
        ("watari_deciding",): 1.0,
        ("watari_mode", "balance", "approve"): 1.0,
        ("watari_hosts",): 3.0,
        ("watari_servers",): 8.0,
        ("watari_servers_measured",): 8.0,
        ("watari_servers_starved",): 6.0,
        ("watari_stopped",): 0.0,
        ("watari_proposals", "balance", "waiting"): 1.0,
    }


def test_what_is_not_known_is_not_zero(sit: Sit) -> None:
    desk = sit("automatic")
    desk.filed.set(meter="away")
    desk.look()
    got = scraped(desk)
    assert got["watari_deciding",] == 0.0
    assert not [name for name, *_ in got if name.startswith(("watari_servers", "watari_hosts"))]


def test_runs_findings_and_the_stop_switch(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    desk.reconciler.begin_approved()
    set_stop(desk.store, "", "mai", "flaps", desk.filed.now())
    desk.policy.write_text("")
    desk.look()
    got = scraped(desk)
    assert got["watari_stopped",] == 1.0
    assert got["watari_findings", "policy-broken", "error"] == 1.0
    desk.write("approve")
    desk.look()
    assert ("watari_runs_open", "running") not in scraped(desk), "taken back by the stop"


def test_when_nobody_looks_any_more_nothing_of_the_last_look_is_told(sit: Sit) -> None:
    desk = sit("observe")
    desk.look()
    desk.reconciler.place.release()
    got = scraped(desk)
    assert got["watari_controller_up",] == 0.0
    assert {name for name, *_ in got} <= {UP, "watari_controller_up", "watari_look_age_seconds", "watari_stopped"}


def test_a_database_that_does_not_answer_is_told(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("observe")

    def away(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(desk.store.engine, "connect", away)
    assert scraped(desk) == {(UP,): 0.0}


def test_every_metric_of_the_rules_and_of_the_dashboard_exists() -> None:
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana" / "watari.json").read_text())
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for expression in (*rules, *panels):
        named = set(re.findall(r"\bwatari_\w+", expression))
        assert named, expression
        assert named <= {UP, *GAUGES}, expression
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_reference_names_every_metric() -> None:
    page = (DEPLOY.parent / "docs" / "reference" / "controller.md").read_text()
    for name, (labels, text) in GAUGES.items():
        shown = "".join(f", `{label}`" for label in labels)
        assert f"| `{name}` | `cloud`{shown} | {text} |" in page


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no `promtool` here (Debian: apt install prometheus)"
)
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    for words in (["check", "rules", str(RULES)], ["test", "rules", str(RULES.with_suffix(".test.yaml"))]):
        ended = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_it_is_the_cloud_s_name_that_labels(sit: Sit) -> None:
    desk = sit("observe")
    desk.look()
    assert f'watari_servers_starved{{cloud="{NAME}"}} 6.0' in generate_latest(registry(desk.store)).decode()
