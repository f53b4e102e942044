"""Done when: a real cloud is balanced and drained from end to end, as its own Prometheus and its own Nova tell."""

import json
from typing import Any

from command import Watari, until
from lab import clouds
from lab.nova import Nova
from watari.drivers.openstack import RealTime
from watari.drivers.prometheus import PrometheusMeter, read_settings
from watari.model.compute import Load, ServerId
from watari.policy.values import Detect

STARVED = Detect().steal


def planned(watari: Watari, *job: str) -> dict[str, Any]:
    """The plan that the command writes."""
    ended = watari.run("plan", *job, "--cloud", "lab", "-o", "p.json")
    assert ended.code == 0, ended
    plan: dict[str, Any] = json.loads((watari.home / "p.json").read_text())
    return plan


def loads(nova: Nova) -> dict[str, Load]:
    """What Prometheus knows by now of servers of ours, by name; asked in here, as commands take their time to begin."""
    settings = read_settings({"url": nova.lab.spec.url("prometheus"), "window": clouds.WINDOW})
    names = {ServerId(server.id): server.name for server in nova.servers().values()}
    return {names[id]: load for id, load in PrometheusMeter(settings, RealTime()).loads(names).items()}


def test_done_when_a_balance_of_the_overloaded_hosts_leaves_no_server_starved(watari: Watari, nova: Nova) -> None:
    ours = nova.servers().keys()
    until("Prometheus to know every server", lambda: loads(nova).keys() == ours, timeout_s=240.0, every_s=2.0)
    plan = planned(watari, "balance")
    assert plan["operations"]
    assert plan["forecast"]["starved_before"] > 0
    assert plan["forecast"]["starved_after"] == 0
    before = nova.places()
    ended = watari.run("apply", "p.json", "--yes")
    assert (ended.code, ended.result["done"]) == (0, len(plan["operations"])), ended
    after = nova.places()
    wanted = {op["name"]: op["steps"][0]["target"] for op in plan["operations"]}
    assert after == before | wanted, "only what the plan names has moved, and to where it says"

    def calm() -> bool:
        known = loads(nova)
        return known.keys() == ours and all(load.steal < STARVED for load in known.values())

    until("Prometheus to see nobody starved", calm, timeout_s=240.0, every_s=2.0)
    assert planned(watari, "balance")["forecast"]["starved_before"] == 0


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
