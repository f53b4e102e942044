"""What is not measured is not guessed: no meter, or one silent server."""

import json
from typing import Any

from command import Watari, until
from lab.nova import Nova


def plan_on(watari: Watari, cloud: str) -> dict[str, Any]:
    ended = watari.run("plan", "balance", "--cloud", cloud, "-o", "p.json")
    assert ended.code in (0, 1, 5), ended
    path = watari.home / "p.json"
    plan: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"said": ended.err}
    return plan


def test_without_prometheus_nothing_is_planned_and_the_command_says_why(watari: Watari) -> None:
    ended = watari.run("plan", "balance", "--cloud", "dark", "-o", "p.json")
    assert ended.code in (1, 5), ended
    assert "Prometheus" in ended.out + ended.err
    assert "127.0.0.1:9" in ended.out + ended.err
    path = watari.home / "p.json"
    assert not path.exists() or json.loads(path.read_text())["operations"] == []


def test_a_silent_server_is_named_and_not_moved(watari: Watari, nova: Nova) -> None:
    id = nova.server("batch-02").id
    nova.lab.mute(id)
    try:

        def named() -> dict[str, Any]:
            plan = plan_on(watari, "lab")
            told = [f["text"] for f in plan["findings"] if f["code"].startswith("meter-")]
            return plan if any(id in text or "batch-02" in text for text in told) else {}

        plan = until("the plan to miss its data", named, timeout_s=120.0, every_s=5.0)
    finally:
        nova.lab.unmute(id)
    assert id not in {op["subject"] for op in plan["operations"]}
