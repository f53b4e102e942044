"""Done when: a real cloud is balanced and drained from end to end, as its own Prometheus and its own Nova tell."""

import json
from typing import Any

from lab.cli import Watari, until
from lab.nova import Nova


def planned(watari: Watari, *job: str) -> dict[str, Any]:
    """The plan that the command writes."""
    ended = watari.run("plan", *job, "--cloud", "lab", "-o", "p.json")
    assert ended.code == 0, ended
    plan: dict[str, Any] = json.loads((watari.home / "p.json").read_text())
    return plan


def blind(watari: Watari, nova: Nova) -> set[str]:
    """Servers of ours whose load nobody knows."""
    ended = watari.run("snapshot", "--cloud", "lab", "-o", "s.json")
    assert ended.code == 0, ended
    rows = json.loads((watari.home / "s.json").read_text())["servers"]
    return {row["name"] for row in rows if "load" not in row} & nova.servers().keys()


def test_done_when_a_balance_of_the_overloaded_hosts_leaves_no_server_starved(watari: Watari, nova: Nova) -> None:
    def overloaded() -> dict[str, Any]:
        plan = {} if blind(watari, nova) else planned(watari, "balance")
        return plan if plan and plan["operations"] else {}

    plan = until("Prometheus to know every server", overloaded, timeout_s=240.0, every_s=3.0)
    assert plan["forecast"]["starved_before"] > 0
    assert plan["forecast"]["starved_after"] == 0
    before = nova.places()
    ended = watari.run("apply", "p.json", "--yes")
    assert (ended.code, ended.result["done"]) == (0, len(plan["operations"])), ended
    after = nova.places()
    wanted = {op["name"]: op["steps"][0]["target"] for op in plan["operations"]}
    assert after == before | wanted, "only what the plan names has moved, and to where it says"

    def calm() -> bool:
        return not blind(watari, nova) and planned(watari, "balance")["forecast"]["starved_before"] == 0

    until("Prometheus to see nobody starved", calm, timeout_s=240.0, every_s=3.0)


def test_done_when_a_drained_host_is_empty_and_undo_brings_it_back(watari: Watari, nova: Nova) -> None:
    before = nova.places()
    host = "cmp02"
    assert nova.on(host)
    planned(watari, "drain", host, "--reason", "new memory")
    ended = watari.run("apply", "p.json", "--yes")
    assert ended.code == 0, ended
    assert not nova.on(host)
    assert not nova.lab.servers_on(host), "nothing of them is left there"
    assert nova.service(host).status == "disabled"
    assert "new memory" in nova.service(host).disabled_reason

    back = watari.run("runs", "undo", ended.result["run"], "--yes")
    assert back.code == 0, back
    assert nova.places() == before
    assert nova.service(host).status == "enabled"


def test_done_when_a_drain_then_enable_leaves_the_host_empty_and_in_service(watari: Watari, nova: Nova) -> None:
    before, host = nova.places(), "cmp05"
    assert nova.on(host)
    planned(watari, "drain", host, "--then", "enable")
    ended = watari.run("apply", "p.json", "--yes")
    assert ended.code == 0, ended
    assert not nova.on(host)
    assert nova.service(host).status == "enabled"

    mark = nova.mark()
    again = watari.run("apply", "p.json", "--yes")
    assert again.code == 0, again
    assert nova.since(mark) == [], "a plan that has been carried out asks for nothing more"

    back = watari.run("runs", "undo", ended.result["run"], "--yes")
    assert back.code == 0, back
    assert nova.places() == before
