"""Which hosts may receive: newcomers' old steal does not close a host, and caution does not leave anybody starving."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import H1, H2, NOON, host, load, minutes, server, snapshot
from watari.jobs.balance import plan, remember
from watari.model.compute import HostName, HostState, Load, PastMove, Server, ServerId
from watari.plan.plan import Plan
from watari.policy.values import Exclude, Policy

H3 = HostName("h3")
STARVING = [server(f"web-{n}", H1, vcpus=8) for n in range(1, 5)]
HUNGRY = {s.name: load(0.15, 1.2, 7.0) for s in STARVING}

GUESTS = [server("api-1", H2), server("db-1", H2, vcpus=16)]
CALM = {"api-1": load(0.04, 0.5, 1.0), "db-1": load(0.0, 0.6, 10.0)}


def planned(others: list[Server], loads: dict[str, Load], past: tuple[PastMove, ...] = ()) -> Plan:
    return plan(snapshot([*STARVING, *others], HUNGRY | loads, past=past), Policy())


@pytest.mark.parametrize(("ago", "moves"), [(1, 1), (4, 1), (6, 0)])
def test_the_steal_of_a_newcomer_is_that_of_the_host_it_left(ago: int, moves: int) -> None:
    """Within the window of the meters; after it, it is the new host's own."""
    came = PastMove(ServerId("api-1"), H3, H2, NOON - minutes(ago))
    made = planned(GUESTS, CALM, past=(came,))
    assert len(made.operations) == moves
    if not moves:
        assert "h2: steal there is 4 %, limit 2 %" in made.refusals[0].why


def test_a_move_that_failed_brought_nobody() -> None:
    came = PastMove(ServerId("api-1"), H3, H2, NOON - minutes(1), done=False)
    assert not planned(GUESTS, CALM, past=(came,)).operations


def cautiously(demand_there: float) -> Plan:
    """A server on h2 of which one reading is known: its demand may well be a quarter more."""
    others = server("db-1", H2, vcpus=20)
    seen = snapshot([*STARVING, others], HUNGRY | {"db-1": load(0.0, 0.7, demand_there)})
    policy = Policy()
    return plan(seen, policy, remember(None, seen, policy))


def test_without_a_cautious_place_a_starved_server_takes_what_fits_now() -> None:
    """14 and 7 cores are 21 of 24, 25 with a deviation."""
    (op, *_) = cautiously(14.0).operations
    assert op.target == H2


def test_what_does_not_fit_now_is_refused_with_the_number_of_now() -> None:
    made = cautiously(16.0)
    assert not made.operations
    assert "(h2: CPU would reach 96 %, limit 95 %)" in made.refusals[0].why


@pytest.mark.parametrize(
    ("state", "note", "said", "cure"),
    [
        ("disabled", "", "it is disabled", "Bring h2 back into service."),
        ("down", "power supply", "it is down: power supply", "Bring h2 back into service."),
        ("up", "", "the policy excludes it", "Change exclude.hosts."),
    ],
)
def test_a_closed_host_says_why_and_what_would_open_it(state: HostState, note: str, said: str, cure: str) -> None:
    hosts = [host(H1), replace(host(H2), state=state, state_note=note)]
    policy = Policy(exclude=Exclude(hosts=("h2",) if state == "up" else ()))
    made = plan(snapshot(STARVING, HUNGRY, hosts=hosts), policy)
    assert {(r.why, r.help) for r in made.refusals} == {
        (f"no host of az1 takes it: 1 receives nothing (h2: {said})", cure)
    }


def test_where_no_other_host_could_be_opened_one_has_to_be_added() -> None:
    twins = [replace(s, id=ServerId(f"{s.id}-b"), name=f"{s.name}-b", host=H2) for s in STARVING]
    made = planned(twins, {s.name: load(0.15, 1.2, 7.0) for s in twins})
    assert {r.help for r in made.refusals} == {"Add a host to az1."}
    assert "(h2: it has to be relieved itself)" in next(r.why for r in made.refusals if r.subject == "web-1")
