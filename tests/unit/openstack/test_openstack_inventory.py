"""What is read of a cloud, in how many calls, and what is made of it."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from times import NOON
from unit.openstack.conftest import Opener
from unit.openstack.small_nova import SmallNova, node_row, record_row, server_row, service_row
from unit.openstack.stub import Json
from watari.errors import Transient
from watari.model.compute import GroupId, Host, HostName, Server, ServerId, ZoneName
from watari.ports import Inventory


def rows(nova: SmallNova, hosts: int, servers: int) -> None:
    nova.services = [service_row(f"h{i}") for i in range(hosts)]
    nova.nodes = [node_row(f"h{i}") for i in range(hosts)]
    nova.servers = [server_row(f"s{i}", f"h{i % hosts}") for i in range(servers)]


def read(nova: SmallNova, opened: Opener, **section: Any) -> Inventory:
    if not nova.nodes:
        nova.services, nova.nodes = [service_row("h1")], [node_row("h1")]
    return opened(**section).cloud.inventory()


def test_a_thousand_servers_are_read_in_ten_calls(opened: Opener, nova: SmallNova) -> None:
    rows(nova, 80, 1000)
    nova.groups = [{"id": f"g{i}", "name": "db", "policy": "anti-affinity", "members": []} for i in range(50)]
    east = opened()
    assert len(east.cloud.inventory().servers) == 1000
    assert Counter(nova.stub.paths()) == {
        "/compute/os-services": 1,
        "/compute/os-hypervisors/detail": 1,
        "/compute/os-aggregates": 1,
        "/placement/allocation_candidates": 1,
        "/placement/resource_providers/rp-h0/inventories": 1,  # the build of all, once in the life of the process
        "/compute/servers/detail": 2,  # the second finds nothing: a full page may not be the last
        "/compute/os-server-groups": 2,
        "/compute/os-migrations": 1,
    }
    nova.stub.asked.clear()
    east.cloud.inventory()
    assert len(nova.stub.asked) == 9


def test_flights_alone_are_two_calls(opened: Opener, nova: SmallNova) -> None:
    rows(nova, 80, 1000)
    assert opened().cloud.flights() == ()
    assert nova.stub.paths() == ["/compute/servers/detail", "/compute/os-migrations"]
    # Asked for VERIFY_RESIZE together with others Nova answers with every server.
    assert nova.stub.asked[0].query["status"] == ["MIGRATING", "RESIZE", "REVERT_RESIZE", "REBUILD"]


def test_a_host_alone_is_four_calls(opened: Opener, nova: SmallNova) -> None:
    rows(nova, 80, 0)
    east = opened()
    inventory = east.cloud.inventory()
    nova.stub.asked.clear()
    assert east.cloud.host(HostName("h7")) == inventory.hosts[HostName("h7")]
    assert nova.stub.paths() == [
        "/compute/os-services",
        "/compute/os-hypervisors/rp-h7",
        "/compute/os-aggregates",
        "/placement/resource_providers/rp-h7/inventories",
    ]
    nova.nodes[7]["id"] = "rp-new"
    assert east.cloud.host(HostName("h7")) == inventory.hosts[HostName("h7")]
    assert east.cloud.host(HostName("nowhere")) is None


@pytest.mark.parametrize("biggest", [1, 7, 50, 1000])
def test_everything_is_read_whatever_the_cloud_s_page(opened: Opener, nova: SmallNova, biggest: int) -> None:
    rows(nova, 10, 50)
    nova.biggest = biggest
    nova.groups = [{"id": f"g{i}", "name": "g", "policy": "affinity", "members": ["s1", "gone"]} for i in range(20)]
    nova.records = [record_row(i, f"s{i}", "completed", "2026-11-20T11:00:00") for i in range(30)]
    inventory = read(nova, opened)
    assert (len(inventory.hosts), len(inventory.servers), len(inventory.groups)) == (10, 50, 20)
    assert len(inventory.past) == 30


def test_a_marker_that_is_gone_is_asked_again_later(opened: Opener, nova: SmallNova) -> None:
    rows(nova, 1, 3)
    nova.biggest = 1
    page = nova._list_servers

    def deleted_in_between(asked: Any) -> Any:
        answer = page(asked)
        nova.servers.pop(0)
        return answer

    nova.stub.on("GET", "/compute/servers/detail", deleted_in_between)
    with pytest.raises(Transient, match="the list changed while it was read"):
        read(nova, opened)


def test_a_server_is_as_nova_shows_it(opened: Opener, nova: SmallNova) -> None:
    specs = {"aggregate_instance_extra_specs:ssd": "true", "aggregate_instance_extra_specs:cpu": "s== gold", "x": "1"}
    operators = {"aggregate_instance_extra_specs:rack": "<or> a <or> b"}
    row = server_row("web", name="web-1", metadata={"role": "web"}, flavor={"extra_specs": specs | operators})
    nova.servers = [row]
    assert read(nova, opened).servers[ServerId("web")] == Server(
        ServerId("web"), "web-1", HostName("h1"), 4, 8192, 40, "p1", "m1", "ACTIVE",
        frozenset({"ssd=true", "cpu=gold"}), metadata={"role": "web"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shared", "row", "gib"),
    [
        (False, {}, 40),
        (False, {"image": ""}, 0),
        (False, {"flavor": {"ephemeral": 20, "swap": 1536}}, 62),
        (False, {"image": "", "flavor": {"ephemeral": 20, "swap": 1536}}, 22),
        (True, {"flavor": {"ephemeral": 20, "swap": 1536}}, 0),
    ],
)
def test_local_disk_is_what_a_move_copies(opened: Opener, nova: SmallNova, shared: bool, row: Json, gib: int) -> None:
    nova.servers = [server_row("web", **row)]
    server = read(nova, opened, watari={"shared_storage": shared}).servers[ServerId("web")]
    assert server.local_disk_gib == gib


@pytest.mark.parametrize(
    ("specs", "word"),
    [
        ({"pci_passthrough:alias": "gpu:1"}, "gpu:1"),
        ({"resources:VGPU": "1"}, "vGPU"),
        ({"resources1:VGPU": "1"}, "vGPU"),
        ({"accel:device_profile": "fpga"}, "fpga"),
        ({"hw:mem_encryption": "True"}, "encrypted memory"),
        ({"hw:tpm_version": "2.0"}, "vTPM"),
        ({"hw:tpm_version": "2.0", "hw:tpm_secret_security": "host"}, ""),
        ({"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2", "hw:pmem": "6GB"}, ""),
        ({"hw:mem_encryption": "false"}, ""),
    ],
)
def test_what_cannot_move_live_says_why(opened: Opener, nova: SmallNova, specs: dict[str, str], word: str) -> None:
    nova.servers = [server_row("web", flavor={"extra_specs": specs})]
    pinned = read(nova, opened).servers[ServerId("web")].pinned_by
    assert word in pinned
    assert bool(pinned) == bool(word)


def test_a_numa_topology_holds_only_in_old_clouds(opened: Opener, nova: SmallNova) -> None:
    nova.stub.newest = "2.72"
    nova.servers = [server_row("web", flavor={"extra_specs": {"hw:cpu_policy": "dedicated"}})]
    assert "NUMA" in read(nova, opened).servers[ServerId("web")].pinned_by


def test_what_is_on_no_host_is_left_out_and_can_be_located(opened: Opener, nova: SmallNova) -> None:
    nova.servers = [server_row("shelved", None, status="SHELVED_OFFLOADED"), server_row("web")]
    assert set(read(nova, opened).servers) == {"web"}
    located = opened().cloud.locate(ServerId("shelved"))
    assert located is not None
    assert (located.host, located.status) == ("", "SHELVED_OFFLOADED")


def test_a_host_joins_service_hypervisor_aggregates_and_placement(opened: Opener, nova: SmallNova) -> None:
    nova.services, nova.nodes = [service_row("h1"), service_row("h2")], [node_row("h1"), node_row("h2")]
    nova.aggregates = [{"name": "fast", "hosts": ["h1"], "metadata": {"ssd": "true", "rack": "a, b"}}]
    nova.inventories["rp-h1"] = {
        "VCPU": {"total": 64, "reserved": 2, "allocation_ratio": 4.0},
        "MEMORY_MB": {"total": 262144, "reserved": 512, "allocation_ratio": 1.0},
        "DISK_GB": {"total": 4000, "reserved": 0, "allocation_ratio": 1.0},
    }
    host = read(nova, opened, watari={"link_mib_s": 2384}).hosts[HostName("h1")]
    labels = frozenset({"fast", "ssd=true", "rack=a", "rack=b"})
    assert host == Host(HostName("h1"), ZoneName("az1"), 62, 261632, 4000, 4.0, 2384.0, aggregates=labels)
    assert opened(watari={"link_mib_s": 2384}).cloud.host(HostName("h1")) == host


def test_full_hosts_are_asked_for_one_by_one(opened: Opener, nova: SmallNova) -> None:
    rows(nova, 5, 0)
    nova.full = {"rp-h1", "rp-h3"}
    east = opened()
    assert [host.memory_mib for host in east.cloud.inventory().hosts.values()] == [261632] * 5
    asked = [path for path in nova.stub.paths() if path.startswith("/placement/resource_providers")]
    assert len(asked) == 3


def test_dedicated_and_shared_threads_add_up(opened: Opener, nova: SmallNova) -> None:
    nova.full = {"rp-h1"}
    nova.inventories["rp-h1"] = {
        "VCPU": {"total": 32, "reserved": 0, "allocation_ratio": 4.0},
        "PCPU": {"total": 32, "reserved": 0, "allocation_ratio": 1.0},
    }
    host = read(nova, opened).hosts[HostName("h1")]
    assert (host.cpus, host.cpu_ratio) == (64, 2.5)
    assert (host.memory_mib, host.disk_gib) == (262144, 4000)  # what placement does not count, the hypervisor says


@pytest.mark.parametrize(
    ("service", "state", "note"),
    [
        ({}, "up", ""),
        ({"status": "disabled", "disabled_reason": "new memory"}, "disabled", "new memory"),
        ({"state": "down"}, "down", ""),
        ({"state": "down", "forced_down": True}, "down", "forced down"),
        ({"state": "down", "status": "disabled", "disabled_reason": "broken"}, "down", "broken"),
    ],
)
def test_a_host_s_state_and_why(opened: Opener, nova: SmallNova, service: Json, state: str, note: str) -> None:
    nova.services, nova.nodes = [service_row("h1", **service)], [node_row("h1")]
    host = read(nova, opened).hosts[HostName("h1")]
    assert (host.state, host.state_note) == (state, note)


def test_baremetal_nodes_are_no_hosts(opened: Opener, nova: SmallNova) -> None:
    nova.services = [service_row("h1"), service_row("ironic")]
    nova.nodes = [node_row("h1"), node_row("ironic", hypervisor_type="ironic")]
    nova.servers = [server_row("metal", "ironic")]
    inventory = read(nova, opened)
    assert (set(inventory.hosts), set(inventory.servers)) == ({"h1"}, set())


def test_a_cell_that_does_not_answer_is_no_empty_cell(opened: Opener, nova: SmallNova) -> None:
    partial = {"id": "far", "status": "UNKNOWN", "tenant_id": "p1", "created": "2026-01-01T00:00:00Z", "links": []}
    nova.servers = [server_row("web"), partial]
    with pytest.raises(Transient, match="the cell of server far does not answer"):
        read(nova, opened)
    with pytest.raises(Transient, match="far"):
        opened().cloud.locate(ServerId("far"))
    nova.servers.pop()
    nova.services.append({"binary": "nova-compute", "host": "h9", "status": "UNKNOWN"})
    with pytest.raises(Transient, match="the cell of host h9 does not answer"):
        read(nova, opened)


def test_a_group_has_the_members_that_exist(opened: Opener, nova: SmallNova) -> None:
    nova.servers = [server_row("web")]
    nova.groups = [{"id": "g", "name": "web", "policy": "soft-affinity", "members": ["web", "deleted"]}]
    group = read(nova, opened).groups[GroupId("g")]
    assert (group.policy, group.members) == ("soft-affinity", frozenset({"web"}))
    assert hash(group), "a value, like all of the model"


def test_moves_of_the_last_day_are_flights_or_past(opened: Opener, nova: SmallNova) -> None:
    at = [(NOON - timedelta(hours=h)).isoformat()[:19] for h in range(30)]
    nova.servers = [server_row("web"), server_row("db"), server_row("api"), server_row("new", status="MIGRATING")]
    nova.records = [
        record_row(9, "web", "running", at[1]),
        record_row(8, "db", "completed", at[2]),
        record_row(7, "api", "cancelled", at[3]),
        record_row(6, "api", "finished", at[4], migration_type="migration"),
        record_row(5, "db", "error", at[5], dest_compute=None),  # refused before it had a target
        record_row(4, "db", "confirmed", at[6], migration_type="resize", dest_compute="h1"),  # in place
        record_row(3, "db", "done", at[7], migration_type="evacuation"),
        record_row(2, "new", "queued", at[28]),  # waits since yesterday
        record_row(1, "db", "completed", at[29]),
    ]
    inventory = read(nova, opened)
    assert [(f.server, f.source, f.target) for f in inventory.flights] == [("new", "h1", "h2"), ("web", "h1", "h2")]
    assert [(m.server, m.done) for m in inventory.past] == [("db", True), ("api", False), ("db", True)]
    assert opened().cloud.flights() == inventory.flights


def test_a_server_that_looks_arrived_is_in_flight_while_its_record_runs(opened: Opener, nova: SmallNova) -> None:
    nova.servers = [server_row("web", "h2")]
    nova.records = [record_row(1, "web", "running", NOON.isoformat()[:19])]
    nova.services, nova.nodes = [service_row("h1"), service_row("h2")], [node_row("h1"), node_row("h2")]
    assert [f.target for f in read(nova, opened).flights] == ["h2"]


def test_a_request_without_a_record_yet_is_a_flight(opened: Opener, nova: SmallNova) -> None:
    nova.servers = [server_row("web")]
    nova.services, nova.nodes = [service_row("h1"), service_row("h2")], [node_row("h1"), node_row("h2")]
    east = opened()
    east.cloud.start_live_migration(ServerId("web"), HostName("h2"))
    nova.servers[0]["status"] = "MIGRATING"
    assert [(f.server, f.source, f.target) for f in east.cloud.flights()] == [("web", "h1", "h2")]
    assert [(f.server, f.source, f.target) for f in opened().cloud.flights()] == [("web", "h1", "h1")]
