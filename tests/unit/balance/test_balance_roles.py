"""A server's role: by metadata, by the group that keeps it apart from its like, by its name."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import server, snapshot
from watari.jobs.placement.roles import roles_of
from watari.model.compute import GroupId, GroupPolicy, Server, ServerGroup
from watari.policy.values import Roles


def role(one: Server, rules: Roles | None = None, groups: tuple[ServerGroup, ...] = ()) -> str:
    """The role of one server, empty without."""
    numbers, names = roles_of(snapshot([one], {}, groups=groups), [one], rules or Roles())
    return "" if numbers[0] < 0 else names[numbers[0]]


def group_of(one: Server, policy: GroupPolicy) -> ServerGroup:
    return ServerGroup(GroupId("g1"), "db-set", policy, frozenset({one.id}))


def test_metadata_comes_first() -> None:
    named = replace(server("web-1"), metadata={"role": "api"})
    assert role(named, groups=(group_of(named, "anti-affinity"),)) == "api"


def test_the_key_is_the_policys() -> None:
    assert role(replace(server("x"), metadata={"tier": "front"}), Roles(metadata_key="tier")) == "front"


@pytest.mark.parametrize("policy", ["anti-affinity", "soft-anti-affinity"])
def test_a_group_that_keeps_apart_is_a_role(policy: GroupPolicy) -> None:
    one = server("web-1")
    assert role(one, groups=(group_of(one, policy),)) == "db-set"


@pytest.mark.parametrize("policy", ["affinity", "soft-affinity"])
def test_a_group_that_keeps_together_is_none(policy: GroupPolicy) -> None:
    one = server("web-1")
    assert role(one, groups=(group_of(one, policy),)) == "web"


def test_groups_may_be_left_out() -> None:
    one = server("web-1")
    assert role(one, Roles(server_group=False), (group_of(one, "anti-affinity"),)) == "web"


@pytest.mark.parametrize(
    ("name", "expected"), [("web-001", "web"), ("web12", "web"), ("shop-api-3", "shop-api"), ("bastion", "")]
)
def test_names_without_their_number(name: str, expected: str) -> None:
    assert role(server(name)) == expected


def test_a_pattern_without_a_group_takes_what_it_matches() -> None:
    assert role(server("db.eu.1"), Roles(name_pattern=r"[a-z]+")) == "db"


def test_without_a_pattern_a_name_says_nothing() -> None:
    assert role(server("web-1"), Roles(name_pattern=None)) == ""


def test_roles_are_numbered_once() -> None:
    servers = [server(name) for name in ("web-1", "db-1", "web-2", "bastion")]
    numbers, names = roles_of(snapshot(servers, {}), servers, Roles())
    assert (numbers.tolist(), names) == ([0, 1, 0, -1], ("web", "db"))
