"""How a server leaves a host, on whose word, and why it cannot."""

from datetime import timedelta
from typing import Any

import pytest

from unit.drain.small_drains import H1, H2, NOON, drain, found, host, moves, refused, server, snapshot, wanting
from watari.jobs.drain.ways import STATES
from watari.model.compute import GroupId, PastMove, ServerGroup, ServerId
from watari.plan.steps import ColdMigrate, LiveMigrate
from watari.policy.values import Drain, Exclude, Policy

PCI: dict[str, Any] = {"pinned_by": "a PCI device"}
COLD, LIVE, LEAVE = ({"watari:drain": wish} for wish in ("cold", " Live ", "leave"))
OFF = {"status": "SHUTOFF"}
LIVE_ONLY: dict[str, Any] = {"no_cold": "its hosts move servers live only"}


@pytest.mark.parametrize(
    ("facts", "policy", "way"),
    [
        ({}, {}, "live"),
        ({"metadata": LIVE}, {}, "live"),
        ({"metadata": COLD}, {}, "cold"),
        ({"metadata": LEAVE}, {}, "wish"),
        ({"metadata": {"watari:drain": "soon"}}, {}, "wish"),
        ({"metadata": {"watari:drain": ""}}, {}, "live"),
        ({"metadata": LEAVE}, {"wish_metadata_key": ""}, "live"),
        ({"metadata": LEAVE}, {"wish_metadata_key": "evacuate"}, "live"),
        ({"metadata": {"evacuate": "cold"}}, {"wish_metadata_key": "evacuate"}, "cold"),
        (PCI, {}, "pinned"),
        (PCI, {"pinned": "cold"}, "cold"),
        (PCI | {"metadata": COLD}, {}, "cold"),
        (PCI | {"metadata": LIVE}, {"pinned": "cold"}, "pinned"),
        (OFF, {}, "cold"),
        ({"status": "STOPPED"}, {}, "cold"),
        (OFF, {"stopped": "leave"}, "off"),
        (OFF | {"metadata": COLD}, {"stopped": "leave"}, "cold"),
        (OFF | {"metadata": LIVE}, {}, "cold"),
        (OFF | PCI, {}, "cold"),
        (LIVE_ONLY, {}, "live"),
        (LIVE_ONLY | {"metadata": COLD}, {}, "live"),
        (LIVE_ONLY | OFF, {}, "no-cold"),
        (LIVE_ONLY | PCI, {}, "pinned"),
        (LIVE_ONLY | PCI, {"pinned": "cold"}, "no-cold"),
        (LIVE_ONLY | PCI | {"metadata": COLD}, {}, "no-cold"),
        ({"local_disk_gib": 500}, {}, "live"),
        ({"local_disk_gib": 500}, {"largest_local_disk_gib": 499.9}, "local-disk"),
        ({"local_disk_gib": 500}, {"largest_local_disk_gib": 500.0}, "live"),
        ({"metadata": {"watari:pin": "yes"}}, {}, "pinned"),
        ({"metadata": {"watari:pin": "yes"} | COLD}, {}, "cold"),
        ({"metadata": {"watari:pin": "no"}}, {}, "live"),
    ],
)
def test_the_way_out(facts: dict[str, Any], policy: dict[str, Any], way: str) -> None:
    made = drain(snapshot([server("web-1", **facts)]), policy=wanting(**policy))
    kinds = {LiveMigrate: "live", ColdMigrate: "cold"}
    assert [kinds[type(op.move)] for op in moves(made)] + list(refused(made).values()) == [way]


@pytest.mark.parametrize("status", [*STATES, "MIGRATING", "RESIZE", "PASSWORD", "UNKNOWN"])
def test_what_is_neither_on_nor_off_stays_and_is_told_the_cure(status: str) -> None:
    made = drain(snapshot([server("web-1", status=status, metadata=COLD)]), policy=wanting(pinned="cold"))
    (refusal,) = made.refusals
    assert status in refusal.why
    assert refusal.help
    assert refusal.code == ("moving" if status in ("MIGRATING", "RESIZE") else STATES.get(status, ("status", ""))[0])


def test_what_the_policy_excludes_stays_whatever_its_owner_wishes() -> None:
    servers = [
        server("legacy-1", metadata=COLD),
        server("web-1", project="billing"),
        server("db-1", metadata={"role": "mysql"}),
        server("api-1"),
    ]
    exclude = Exclude(servers=("legacy-*",), roles=("mysql",), projects=("billing",))
    made = drain(snapshot(servers), policy=Policy(exclude=exclude))
    assert refused(made) == dict.fromkeys(("db-1", "legacy-1", "web-1"), "excluded")
    assert [op.name for op in moves(made)] == ["api-1"]


def test_a_host_that_the_policy_excludes_is_drained_when_it_is_named() -> None:
    made = drain(snapshot([server("web-1")]), policy=Policy(exclude=Exclude(hosts=("h1", "h2"))))
    assert [op.target for op in moves(made)] == ["h3"]
    assert (refused(made), found(made)) == ({}, [])


def test_a_hard_affinity_group_stays_and_a_soft_one_goes() -> None:
    def group(name: str, policy: Any, *members: str) -> ServerGroup:
        return ServerGroup(GroupId(name), name, policy, frozenset(map(ServerId, members)))

    servers = [server(name) for name in ("a-1", "a-2", "b-1", "b-2", "c-1")]
    groups = [
        group("a", "affinity", "a-1", "a-2"), group("b", "soft-affinity", "b-1", "b-2"), group("c", "affinity", "c-1"),
    ]  # fmt: skip
    made = drain(snapshot(servers, groups=groups))
    assert refused(made) == {"a-1": "affinity", "a-2": "affinity"}
    assert {op.name for op in moves(made)} == {"b-1", "b-2", "c-1"}


def test_a_stop_is_said_with_who_allowed_it() -> None:
    servers = [server("nfv-1", **PCI), server("nfv-2", metadata=COLD), server("old-1", status="SHUTOFF")]
    made = drain(snapshot(servers), policy=Policy(drain=Drain(pinned="cold")))
    reasons = {op.name: [reason.rule for reason in op.reasons] for op in moves(made)}
    assert reasons == {"nfv-1": ["pinned"], "nfv-2": ["wish"], "old-1": ["off"]}
    downtimes = {op.name: op.cost.downtime_s for op in moves(made)}
    assert downtimes == {"nfv-1": 42.0, "nfv-2": 42.0, "old-1": 0.0}


def test_rest_after_moves_does_not_hold_anybody() -> None:
    past = tuple(PastMove(ServerId("web-1"), H2, H1, NOON - timedelta(minutes=n)) for n in range(5, 30, 5))
    made = drain(snapshot([server("web-1")], [host(H1), host(H2)], past=past))
    assert [op.target for op in moves(made)] == ["h2"]
