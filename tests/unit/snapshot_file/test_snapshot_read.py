"""A snapshot file that can be used: defaults, derived loads, and what is told as a finding."""

import gc
import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from unit.snapshot_file.snapshot_text import TAKEN, cloud, host, read, server
from watari.drivers.snapshot_file import read_snapshot
from watari.model.compute import (
    Flight,
    GroupId,
    Host,
    HostName,
    Load,
    PastMove,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)
from watari.model.reasons import Finding

NOON_JST = datetime(2024, 5, 1, 3, 0, tzinfo=UTC)


def test_the_least_that_a_file_needs(tmp_path: Path) -> None:
    snapshot, findings = read(tmp_path, cloud())
    assert findings == ()
    assert snapshot.taken_at == NOON_JST
    assert snapshot.hosts[HostName("h01")] == Host(HostName("h01"), ZoneName("az1"), 8.0, 65536, 0)
    assert snapshot.servers == {
        "id-1": Server(ServerId("id-1"), "web-1", HostName("h01"), 4, 8192),
        "db-1": Server(ServerId("db-1"), "db-1", HostName("h02"), 4, 8192),
    }
    assert not snapshot.loads
    assert snapshot.cloud == ""


def test_everything_that_a_file_can_hold(tmp_path: Path) -> None:
    metered = {
        "steal": 0.12,
        "load_per_vcpu": 1.3,
        "cpu_demand": 3.4,
        "at": "2024-05-01T02:59:30Z",
        "source": "prometheus",
    }
    value = cloud(
        cloud="east",
        servers=[server("a", load=metered, metadata={"role": "web"}, aggregates=["ssd"], pinned_by="PCI"), server("b")],
        groups=[{"id": "g1", "policy": "anti-affinity", "members": ["a", "b"]}],
        flights=[{"server": "a", "source": "h01", "target": "h02", "since": TAKEN}],
        past=[{"server": "b", "source": "gone", "target": "h01", "ended": TAKEN, "done": False, "benefit": 0.1}],
    )
    snapshot, findings = read(tmp_path, value)
    a, b, h01, h02 = ServerId("a"), ServerId("b"), HostName("h01"), HostName("h02")
    assert findings == ()
    assert snapshot.cloud == "east"
    assert snapshot.loads == {a: Load(0.12, 1.3, 3.4, NOON_JST - timedelta(seconds=30), "prometheus")}
    assert snapshot.servers[a].metadata == {"role": "web"}
    assert snapshot.servers[a].aggregates == {"ssd"}
    assert snapshot.groups == {"g1": ServerGroup(GroupId("g1"), "g1", "anti-affinity", frozenset((a, b)))}
    assert snapshot.flights == (Flight(a, h01, h02, NOON_JST),)
    assert snapshot.past == (PastMove(b, HostName("gone"), h01, NOON_JST, False, 0.1),)


def test_null_is_as_good_as_absent(tmp_path: Path) -> None:
    value = cloud(
        servers=[server("a", name=None, load=None), server("b", load={"cpu_demand": 1, "at": None, "steal": None})]
    )
    snapshot, _ = read(tmp_path, value)
    assert list(snapshot.loads) == ["b"]
    assert snapshot.servers[ServerId("a")].name == "a"


def test_demand_alone_is_completed_by_the_fluid_rule(tmp_path: Path) -> None:
    servers = [
        server("a", vcpus=8, load={"cpu_demand": 8}),
        server("b", vcpus=4, load={"cpu_demand": 2}),
        server("c", "h02", load={"cpu_demand": 1}),
    ]
    snapshot, findings = read(tmp_path, cloud(servers=servers))
    loads = snapshot.loads  # h01: 10 cores asked of 8, sigma = 0.2
    assert loads[ServerId("a")].steal == pytest.approx(0.2)
    assert loads[ServerId("a")].load_per_vcpu == pytest.approx(1.25)
    assert loads[ServerId("b")].steal == pytest.approx(0.1)
    assert loads[ServerId("b")].load_per_vcpu == pytest.approx(0.625)
    assert loads[ServerId("b")].source == "derived from cpu_demand"
    assert loads[ServerId("c")] == Load(0.0, 0.25, 1.0, NOON_JST, "derived from cpu_demand")
    text = "3 loads with cpu_demand alone: steal and load_per_vcpu are derived from the host's cpus"
    assert findings == (Finding("loads", "derived-loads", text, "info", "Give all three to plan on what was measured"),)


def test_derived_loads_beside_silent_servers_are_told(tmp_path: Path) -> None:
    value = cloud(servers=[server("a", load={"cpu_demand": 8}), server("b")])
    assert _told(tmp_path, value)["derived-loads-partial"] == (
        "servers without data run beside derived loads on h01: the real steal there may be higher"
    )


def test_a_host_without_capacity_receives_nothing(tmp_path: Path) -> None:
    hosts = [host("h01", cpus=0), host("h02", memory_mib=0, state_note="new"), host("h03", cpus=0, state="down")]
    value = cloud(hosts=hosts, servers=[server("a", load={"steal": 0, "load_per_vcpu": 0, "cpu_demand": 1})])
    snapshot, findings = read(tmp_path, value)
    assert [(h.state, h.state_note) for h in snapshot.hosts.values()] == [
        ("disabled", "has no capacity"),
        ("disabled", "has no capacity; new"),
        ("down", "has no capacity"),
    ]
    assert not snapshot.loads
    assert [(f.subject, f.code, f.text) for f in findings] == [
        ("h01", "no-capacity", "has no capacity: 0 cpus, 65,536 MiB memory; it receives nothing, "
                               "and the load of 1 server on it counts as unknown"),
        ("h02", "no-capacity", "has no capacity: 8 cpus, 0 MiB memory; it receives nothing"),
        ("h03", "no-capacity", "has no capacity: 0 cpus, 65,536 MiB memory; it receives nothing"),
    ]  # fmt: skip


def test_an_empty_cloud_and_one_without_servers(tmp_path: Path) -> None:
    assert _told(tmp_path, cloud(hosts=[], servers=[])) == {
        "empty-cloud": "there are no hosts, so there is nothing to plan"
    }
    assert _told(tmp_path, cloud(servers=[])) == {"no-servers": "2 hosts, no servers: nothing to move"}


def test_memory_that_is_given_twice(tmp_path: Path) -> None:
    value = cloud(servers=[server("a", memory_mib=65536), server("b", memory_mib=1024)])
    assert _told(tmp_path, value) == {
        "memory-overcommitted": "2 servers with 66,560 MiB memory together, the host has 65,536 MiB"
    }


def test_loads_from_the_future(tmp_path: Path) -> None:
    load: dict[str, Any] = {"steal": 0, "load_per_vcpu": 0, "cpu_demand": 1}
    servers = [
        server("a", load={**load, "at": "2024-05-01T12:00:05+09:00"}),
        server("b", load={**load, "at": "2024-05-01T12:02:00+09:00"}),
    ]
    snapshot, findings = read(tmp_path, cloud(servers=servers))
    assert list(snapshot.loads) == ["a"]
    assert [f.code for f in findings] == ["load-from-future", "load-from-future"]
    assert findings[0].text == "1 load later than taken_at (2024-05-01T12:00:00+09:00), by up to 5 s; kept: a"
    assert findings[1].text.endswith("by up to 120 s; left out: their servers count as unknown: b")


def test_migrations_that_are_no_longer_of_use(tmp_path: Path) -> None:
    value = cloud(
        flights=[{"server": "id-1", "source": "h02", "target": "h01", "since": TAKEN}],
        past=[
            {"server": "gone", "source": "h01", "target": "h02", "ended": TAKEN},
            {"server": "db-1", "source": "h01", "target": "h02", "ended": "2024-05-01T12:00:01+09:00"},
        ],
    )
    snapshot, findings = read(tmp_path, value)
    assert snapshot.flights == ()
    assert [move.server for move in snapshot.past] == ["db-1"]
    assert {f.code: (f.subject, f.text) for f in findings} == {
        "flight-landed": ("web-1", "is on h01 already; its migration from h02 is no longer under way, left out"),
        "past-of-unknown-server": (
            "past",
            "1 past move of servers that do not exist (any more), left out: gone",
        ),
        "move-from-future": ("past", "1 migration later than taken_at (2024-05-01T12:00:00+09:00): db-1"),
    }


def test_packed_by_name_or_not_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, cloud())
    for name in ("cluster.json.gz", "cluster"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(cloud()).encode()))
        assert read_snapshot(path)[0] == plain


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(cloud()).encode())))
    assert read_snapshot("-")[0] == read(tmp_path, cloud())[0]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        read(tmp_path, cloud())
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def _told(tmp_path: Path, value: object) -> dict[str, str]:
    return {finding.code: finding.text for finding in read(tmp_path, value)[1]}
