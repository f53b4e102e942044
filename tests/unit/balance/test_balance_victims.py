"""Who leaves a hot host: never more servers than needed, and for one or two of them the fewest GiB."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.balance.small_clouds import H1, host, load, server, snapshot
from watari.jobs.balance.victims import choose
from watari.jobs.placement.detect import diagnose
from watari.jobs.placement.ledger import Ledger, open_ledger, relieved
from watari.jobs.placement.world import Ints, build_world
from watari.policy.values import Policy

Sizes = list[tuple[float, int]]  # cores asked for, GiB of memory: one per server
SIZES = st.lists(st.tuples(st.sampled_from((0.3, 0.5, 1.0, 1.5, 2.0, 4.0)), st.integers(1, 64)), max_size=9)


def ledger_of(sizes: Sizes, cpus: float) -> Ledger:
    servers = [server(f"s-{i}", vcpus=4, memory_gib=gib) for i, (_, gib) in enumerate(sizes)]
    loads = {f"s-{i}": load(cores=cores) for i, (cores, _) in enumerate(sizes)}
    world = build_world(snapshot(servers, loads, hosts=[host(H1, cpus)]), Policy())
    return open_ledger(world, Policy(), diagnose(world, Policy(), None))


def everyone(sizes: Sizes) -> Ints:
    return np.arange(len(sizes), dtype=np.int64)


def relieving(ledger: Ledger, n: int, k: int) -> list[tuple[int, ...]]:
    """Every set of k servers whose leaving is enough."""
    return [each for each in combinations(range(n), k) if relieved(ledger, 0, np.array(each, np.int64))]


@settings(max_examples=150)
@given(SIZES, st.sampled_from((2.0, 4.0, 8.0)))
def test_never_more_servers_than_any_choice_needs(sizes: Sizes, cpus: float) -> None:
    ledger = ledger_of(sizes, cpus)
    chosen = choose(ledger, 0, everyone(sizes))
    assert chosen is not None, "an empty host is relieved"
    fewest = next(k for k in range(len(sizes) + 1) if relieving(ledger, len(sizes), k))
    assert len(set(chosen.tolist())) == fewest
    assert relieved(ledger, 0, chosen)


@settings(max_examples=150)
@given(SIZES, st.sampled_from((2.0, 4.0, 8.0)))
def test_of_one_or_two_servers_the_fewest_gib(sizes: Sizes, cpus: float) -> None:
    ledger = ledger_of(sizes, cpus)
    chosen = choose(ledger, 0, everyone(sizes))
    assert chosen is not None
    if len(chosen) in (1, 2):
        choices = relieving(ledger, len(sizes), len(chosen))
        least = min(sum(sizes[s][1] for s in each) for each in choices)
        assert sum(sizes[s][1] for s in chosen.tolist()) == least


def test_nobody_leaves_a_host_that_gives_enough() -> None:
    chosen = choose(ledger_of([(1.0, 8), (1.0, 8)], 4.0), 0, np.array([0, 1]))
    assert chosen is not None
    assert not len(chosen)


def test_none_when_those_that_may_leave_are_not_enough() -> None:
    assert choose(ledger_of([(4.0, 8), (1.0, 8)], 2.0), 0, np.array([1])) is None


def test_servers_that_ask_for_next_to_nothing_are_not_moved() -> None:
    assert choose(ledger_of([(4.0, 8), (0.04, 1)], 4.0), 0, np.array([1])) is None


def test_three_servers_are_exchanged_for_smaller_ones() -> None:
    """The three largest would do; three with the same cores and less memory are taken."""
    sizes = [(2.0, 64)] * 3 + [(2.0, 4)] * 3 + [(1.0, 1)]
    chosen = choose(ledger_of(sizes, 7.0), 0, everyone(sizes))
    assert chosen is not None
    assert sorted(sizes[s][1] for s in chosen.tolist()) == [4, 4, 4]
