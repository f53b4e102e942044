"""The benchmark's cluster: one seed, one cluster, and the loads it draws from."""

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import loads
from benchmarks.cluster import HOST_CPUS, HOST_MEMORY_MIB, MAX_VCPUS_PER_CPU, ZONES, generate, write_json
from benchmarks.loads import Loads
from watari.errors import BadInput

FLAT = Loads((10, 20, 30, 40), "four samples", synthetic=True)


def test_a_seed_is_one_cluster() -> None:
    assert generate(20, 150, 3, FLAT) == generate(20, 150, 3, FLAT)
    assert generate(20, 150, 3, FLAT) != generate(20, 150, 4, FLAT)


def test_the_draws_are_those_of_the_published_cluster() -> None:
    """Any change of the order of random calls would change the cluster that the documented figures are about."""
    cluster = generate(100, 1000, 1, FLAT)
    last = cluster.servers[-8:]
    assert [server.host for server in last] == [28, 58, 11, 14, 35, 5, 5, 15]
    assert [server.vcpus for server in last] == [2, 2, 8, 16, 2, 2, 2, 2]
    assert [server.load_percent for server in last] == [50.1, 75.1, 50.1, 100.0, 100.0, 100.0, 50.1, 50.1]


def test_hosts_are_filled_within_cpu_and_memory() -> None:
    cluster = generate(20, 300, 1, FLAT)
    vcpus: Counter[int] = Counter()
    memory: Counter[int] = Counter()
    for server in cluster.servers:
        vcpus[server.host] += server.vcpus
        memory[server.host] += server.memory_mib
    assert max(vcpus.values()) <= HOST_CPUS * MAX_VCPUS_PER_CPU
    assert max(memory.values()) <= HOST_MEMORY_MIB


def test_zones_go_round_and_roles_have_six_servers() -> None:
    cluster = generate(9, 60, 1, FLAT)
    assert [host.zone for host in cluster.hosts] == list(ZONES) * 3
    assert set(Counter(server.role for server in cluster.servers).values()) == {6}


def test_demand_is_the_lifted_sample_of_the_vcpus() -> None:
    server = generate(1, 1, 1, Loads((40,), "one", synthetic=True)).servers[0]
    assert server.load_percent == 100.0  # 2.5 * 40 + 0.1, capped
    assert server.demand == server.vcpus


def test_hosts_demand_sums_up_to_that_of_the_servers() -> None:
    cluster = generate(10, 100, 1, FLAT)
    assert sum(cluster.hosts_demand()) == pytest.approx(sum(server.demand for server in cluster.servers))


@pytest.mark.parametrize(("hosts", "servers"), [(0, 1), (1, 16)])
def test_too_many_servers_are_refused(hosts: int, servers: int) -> None:
    with pytest.raises(BadInput, match="at most 15"):
        generate(hosts, servers, 1, FLAT)


def test_the_file_for_peers_holds_every_server(tmp_path: Path) -> None:
    cluster = generate(4, 20, 1, FLAT)
    write_json(cluster, tmp_path / "cluster.json")
    document = json.loads((tmp_path / "cluster.json").read_text())
    assert [server["host"] for server in document["servers"]] == list(cluster.placement)
    assert document["hosts"][1]["zone"] == "az2"


def test_built_in_loads_have_the_documented_statistics() -> None:
    percent = loads.synthetic().percent
    assert 9 <= sum(percent) / len(percent) <= 12
    assert 0.01 <= sum(sample > 70 for sample in percent) / len(percent) <= 0.02
    assert min(percent) >= 0 and max(percent) == 100


def test_a_trace_is_read_alike_from_folder_and_archive(tmp_path: Path) -> None:
    day = tmp_path / "20110303"
    day.mkdir()
    for name, noon in (("b", 7), ("a", 55)):
        (day / name).write_text(_trace(noon))
    with tarfile.open(tmp_path / "day.tar.xz", "w:xz") as archive:
        archive.add(day, "20110303")
    assert loads.planetlab(day).percent == loads.planetlab(tmp_path / "day.tar.xz").percent == (55, 7)


@pytest.mark.parametrize("text", ["", "1\n2\n", "x\n" * 288])
def test_a_trace_without_noon_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "vm1").write_text(text)
    with pytest.raises(BadInput, match="vm1 has no whole number"):
        loads.planetlab(tmp_path)


def test_a_path_that_holds_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        loads.planetlab(tmp_path / "missing")
    with pytest.raises(BadInput, match="no trace files"):
        loads.planetlab(tmp_path)
    (tmp_path / "text.tar.xz").write_bytes(b"not an archive")
    with pytest.raises(BadInput, match="not a tar archive"):
        loads.planetlab(tmp_path / "text.tar.xz")


def _trace(noon: int) -> str:
    return "".join(f"{noon if i == 144 else 1}\n" for i in range(288))
