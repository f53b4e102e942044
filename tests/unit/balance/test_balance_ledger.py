"""The ledger: what moves under way and planned moves take, and what they do not give back before they are over."""

from dataclasses import replace

import pytest

from unit.balance.small_clouds import H1, H2, NOON, host, load, server, snapshot
from watari.jobs.placement.detect import diagnose
from watari.jobs.placement.ledger import Ledger, open_ledger
from watari.jobs.placement.world import build_world
from watari.model.compute import Flight, HostName, ServerId
from watari.policy.values import Policy

H3 = HostName("h3")
WHOLE = slice(0, 3)


def ledger(*flights: Flight) -> Ledger:
    """web-1 and web-2 on h1, web-3 on h2, nothing on h3; each 8 GiB, 20 GiB of disk, 4 vCPUs and one core."""
    servers = [server("web-1", H1, disk_gib=20), server("web-2", H1, disk_gib=20), server("web-3", H2, disk_gib=20)]
    seen = snapshot(servers, {s.name: load() for s in servers}, hosts=[host(H1), host(H2), host(H3)])
    world = build_world(replace(seen, flights=flights), Policy())
    return open_ledger(world, Policy(), diagnose(world, Policy(), None))


TO_H3 = Flight(ServerId("web-1"), H1, H3, NOON)
FREE_MIB, FREE_GIB, FREE_VCPUS = 512 * 1024, 8000, 24 * 16


@pytest.mark.parametrize("how", ["under way", "planned"])
def test_a_place_is_taken_at_both_ends(how: str) -> None:
    books = ledger(TO_H3) if how == "under way" else ledger()
    if how == "planned":
        books.move(0, 0, 2)
    assert books.memory_free.tolist() == [FREE_MIB - 2 * 8192, FREE_MIB - 8192, FREE_MIB - 8192]
    assert books.disk_free.tolist() == [FREE_GIB - 40, FREE_GIB - 20, FREE_GIB - 20]
    assert books.vcpus_free.tolist() == [FREE_VCPUS - 8, FREE_VCPUS - 4, FREE_VCPUS - 4]
    assert books.guests == {2: {0}}


@pytest.mark.parametrize("how", ["under way", "planned"])
def test_its_load_is_where_it_will_be(how: str) -> None:
    books = ledger(TO_H3) if how == "under way" else ledger()
    if how == "planned":
        books.move(0, 0, 2)
    assert books.levels[0].tolist() == [1.0, 1.0, 1.0]
    assert books.need().tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("how", ["under way", "planned"])
def test_its_role_counts_where_it_comes_to_and_not_where_it_leaves(how: str) -> None:
    """A destination is compared with the servers of the role that stay: the leaving one must not make room there."""
    books = ledger(TO_H3) if how == "under way" else ledger()
    if how == "planned":
        books.same_role(0, WHOLE)
        books.move(0, 0, 2)
    assert books.same_role(0, WHOLE).tolist() == [2, 1, 1]
    assert books.role_at_source(0, 0) == 1


def test_a_server_without_a_role_is_of_no_role() -> None:
    assert ledger().same_role(-1, WHOLE).tolist() == [0, 0, 0]
    assert ledger().role_at_source(-1, 0) == 0
