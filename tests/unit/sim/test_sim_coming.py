"""Servers that come and go in a simulated cloud, as a recorded history has them."""

from datetime import UTC, datetime

import numpy as np
import pytest

from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.spec import SimSpec
from watari.errors import Refused
from watari.model.compute import GroupId, Host, HostName, Server, ServerGroup, ServerId, ZoneName

START = datetime(2026, 1, 5, tzinfo=UTC)


class Steady:
    def __init__(self, cores: list[float]) -> None:
        self.now = np.array(cores)

    def cores(self, t_s: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return self.now


def numbers(*some: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array(some, np.intp)


@pytest.fixture
def cloud() -> SimCloud:
    """Three hosts of one zone, 4 threads and room for two servers each; a and b on h0, c on h1."""
    hosts = tuple(Host(HostName(f"h{k}"), ZoneName("az1"), 4, 2048, 100) for k in range(3))
    servers = tuple(
        Server(ServerId(id), id, HostName(host), 4, 1024) for id, host in (("a", "h0"), ("b", "h0"), ("c", "h1"))
    )
    apart = ServerGroup(GroupId("g"), "g", "anti-affinity", frozenset(map(ServerId, "bc")))
    return SimCloud(SimSpec("small", hosts, servers, (apart,)), Steady([4.0, 4.0, 0.0]), START)


def there(cloud: SimCloud) -> dict[str, str]:
    return {id: str(server.host) for id, server in cloud.inventory().servers.items()}


def test_a_server_that_is_gone_is_nowhere_and_comes_back_where_it_is_told(cloud: SimCloud) -> None:
    cloud.go(numbers(1))
    assert there(cloud) == {"a": "h0", "c": "h1"}
    assert cloud.locate(ServerId("b")) is None
    with pytest.raises(Refused, match="no server b"):
        cloud.start_live_migration(ServerId("b"), HostName("h2"))
    cloud.advance(60)
    assert ServerId("b") not in cloud.loads(cloud.server_ids)
    cloud.come(numbers(1), numbers(2))
    assert there(cloud) == {"a": "h0", "b": "h2", "c": "h1"}
    cloud.advance(15)
    assert (cloud.contention.steal == 0).all()
    assert (cloud.shadow_contention().steal == 0).all(), "nor does it starve anybody on its old host in the twin"


def test_who_is_gone_takes_no_room_and_is_in_nobodys_way(cloud: SimCloud) -> None:
    cloud.go(numbers(2))
    cloud.start_live_migration(ServerId("b"), HostName("h1"))  # c is in its group, and was there
    cloud.advance(600)
    assert there(cloud) == {"a": "h0", "b": "h1"}


def test_a_server_that_is_deleted_on_its_way_ends_its_move(cloud: SimCloud) -> None:
    id = cloud.start_live_migration(ServerId("a"), HostName("h2"))
    cloud.go(numbers(0))
    cloud.advance(600)
    assert cloud.migration(id).status == "failed"
    assert cloud.migration(id).error == "the server was deleted"
    assert there(cloud) == {"b": "h0", "c": "h1"}


def test_where_its_host_is_full_by_now_it_starts_on_the_emptiest_of_its_zone(cloud: SimCloud) -> None:
    cloud.go(numbers(2))
    cloud.come(numbers(2), numbers(0))
    assert there(cloud)["c"] in ("h1", "h2")
    assert cloud.twin_index.tolist() == [0, 0, 0]


def test_a_host_that_is_gone_leaves_its_servers_to_where_they_really_went(cloud: SimCloud) -> None:
    cloud.displace(numbers(1), numbers(2))
    assert there(cloud)["b"] == "h2"
    assert cloud.twin_index.tolist() == [0, 0, 1]
    cloud.displace_twin(numbers(1), numbers(2))
    cloud.advance(15)
    assert cloud.shadow_contention().steal.tolist() == [0.0, 0.0, 0.0]


def test_a_server_that_is_hushed_sends_no_loads_and_still_asks(cloud: SimCloud) -> None:
    cloud.hush(np.array([True, False, False]))
    cloud.advance(60)
    assert set(cloud.loads(cloud.server_ids)) == {"b", "c"}
    assert cloud.contention.steal[0] == 0.5
    cloud.hush(np.zeros(3, np.bool_))
    assert set(cloud.loads(cloud.server_ids)) == {"a", "b", "c"}
