"""Who may not be moved, in which words, and who comes first when several reasons hold."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import H1, H2, NOON, load, minutes, server, snapshot
from watari.jobs.placement.standing import Ban, standing
from watari.jobs.placement.world import build_world
from watari.model.compute import PastMove, Server
from watari.policy.values import Calm, Exclude, Policy

WEB = server("web-1")


def ban(one: Server, policy: Policy | None = None, past: tuple[PastMove, ...] = ()) -> Ban | None:
    policy = policy or Policy()
    seen = snapshot([one], {one.name: load()}, past=past)
    return standing(build_world(seen, policy), policy).ban(0)


def moved(ago: float, *, done: bool = True) -> PastMove:
    return PastMove(WEB.id, H2, H1, NOON - minutes(ago), done)


def code(found: Ban | None) -> str:
    return "" if found is None else found.code


def test_most_servers_may_move() -> None:
    assert ban(WEB) is None


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (replace(WEB, status="SHUTOFF"), "status"),
        (replace(WEB, pinned_by="a PCI device"), "pinned"),
        (replace(WEB, metadata={"watari:pin": "true"}), "pinned"),
        (replace(WEB, metadata={"watari:pin": ""}), ""),
        (replace(WEB, metadata={"watari:pin": "No"}), ""),
    ],
)
def test_what_a_server_says_of_itself(one: Server, expected: str) -> None:
    assert code(ban(one)) == expected


@pytest.mark.parametrize(
    "exclude",
    [
        Exclude(servers=("web-*",)),
        Exclude(roles=("web",)),
        Exclude(projects=("shop",)),
        Exclude(hosts=("h?",)),
    ],
)
def test_what_the_policy_says(exclude: Exclude) -> None:
    found = ban(replace(WEB, project="shop"), Policy(exclude=exclude))
    assert code(found) == "excluded"


def test_a_server_rests_after_a_move() -> None:
    assert ban(WEB, past=(moved(61),)) is None
    found = ban(WEB, past=(moved(20),))
    assert found == Ban(
        "cool-down", "moved 20 min ago; the cool-down is 1 h", "Wait until 12:40, or lower calm.cool_down."
    )


def test_a_server_rests_after_a_failed_move() -> None:
    assert ban(WEB, past=(moved(16, done=False),)) is None
    assert code(ban(WEB, past=(moved(14, done=False),))) == "cool-down"


def test_a_failure_does_not_cut_the_rest_short() -> None:
    found = ban(WEB, past=(moved(30), moved(20, done=False)))
    assert found is not None
    assert found.help == "Wait until 12:30, or lower calm.cool_down."


def test_the_cycle_breaker_counts_only_moves_that_were_done() -> None:
    failures = tuple(moved(120 + n, done=False) for n in range(9))
    assert ban(WEB, past=failures) is None
    assert code(ban(WEB, past=tuple(moved(120 + n) for n in range(4)))) == "cycle"
    assert ban(WEB, Policy(calm=Calm(cycle_moves=5)), tuple(moved(120 + n) for n in range(4))) is None
