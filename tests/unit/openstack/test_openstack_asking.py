"""What is checked before a move is asked for, and how hosts are taken out of service."""

from typing import Any

import pytest

from unit.openstack.conftest import Opened, Opener
from unit.openstack.small_nova import SmallNova, action_row, server_row
from unit.openstack.stub import Answer, Json
from watari.errors import Refused, Transient
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId, MigrationKind

WEB, H1, H2 = ServerId("web"), HostName("h1"), HostName("h2")
REQUEST = "req-0a"
LIVE_ID = MigrationId(f"{REQUEST}/live/web/h2")
EVACUATED_ID = MigrationId(f"{REQUEST}/evacuation/web/")


# Asking


def test_the_handle_is_the_request_and_survives_the_process(east: Opened, three_hosts: SmallNova) -> None:
    assert east.cloud.start_live_migration(WEB, H2) == LIVE_ID
    posted = three_hosts.stub.asked[-1]
    assert posted.body == {"os-migrateLive": {"host": "h2", "block_migration": "auto"}}
    assert posted.path == "/compute/servers/web/action"


def test_a_live_move_is_asked_for_in_five_calls(east: Opened, three_hosts: SmallNova) -> None:
    east.cloud.start_live_migration(WEB, H2)
    three_hosts.stub.asked.clear()
    east.cloud.start_live_migration(WEB, H2)
    assert three_hosts.stub.paths() == [
        "/compute/servers/web",
        "/compute/os-services",
        "/compute/os-services",
        "/placement/allocation_candidates",
    ]
    assert len(three_hosts.stub.paths("POST")) == 1


def test_a_proxy_that_drops_the_request_id_costs_one_more_look(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.start = lambda server, body: Answer({}, 202)
    three_hosts.actions["web"] = [
        action_row(REQUEST, "2026-11-20T12:00:00"),
        action_row("req-0b", "2026-11-20T11:59:00"),
    ]
    assert east.cloud.start_live_migration(WEB, H2) == LIVE_ID
    three_hosts.actions.clear()
    with pytest.raises(Transient, match="took the request"):
        east.cloud.start_live_migration(WEB, H2)


@pytest.mark.parametrize(
    ("server", "hosts", "target", "why"),
    [
        ({}, {}, "far", "far is in zone az2, web is in az1"),
        ({}, {}, "nowhere", "no compute host nowhere"),
        ({}, {}, "h1", "is on h1 already"),
        ({}, {"h2": {"status": "disabled", "disabled_reason": "memory"}}, "h2", r"h2 is disabled \(memory\)"),
        ({}, {"h2": {"state": "down"}}, "h2", "h2 is down"),
        ({}, {"h1": {"state": "down"}}, "h2", "its host h1 is down"),
        ({"status": "MIGRATING", "OS-EXT-STS:task_state": "migrating"}, {}, "h2", r"busy \(migrating\)"),
        ({"OS-EXT-STS:task_state": "image_snapshot"}, {}, "h2", r"busy \(image_snapshot\)"),
        ({"status": "SHUTOFF"}, {}, "h2", "is SHUTOFF; only ACTIVE and PAUSED"),
        ({"OS-EXT-SRV-ATTR:host": None, "status": "SHELVED_OFFLOADED"}, {}, "h2", "on no host"),
        ({"flavor": {"extra_specs": {"resources:VGPU": "1"}}}, {}, "h2", "vGPU"),
        ({"flavor": {"extra_specs": {"aggregate_instance_extra_specs:ssd": "true"}}}, {}, "h2", "ssd=true"),
    ],
)
def test_what_nova_would_find_out_late_is_refused_at_once(
    opened: Opener, three_hosts: SmallNova, server: Json, hosts: dict[str, Json], target: str, why: str
) -> None:
    three_hosts.servers[0] = server_row("web", server.pop("OS-EXT-SRV-ATTR:host", "h1"), **server)
    for row in three_hosts.services:
        row |= hosts.get(row["host"], {})
    with pytest.raises(Refused, match=why):
        opened().cloud.start_live_migration(WEB, HostName(target))
    assert three_hosts.stub.paths("POST") == []


def test_a_full_host_is_refused_with_what_it_has(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.full = {"rp-h2"}
    with pytest.raises(Refused, match="h2 has 3584 MiB of memory free, web needs 8192"):
        east.cloud.start_live_migration(WEB, H2)


def test_disk_that_hosts_share_is_nova_s_to_count(east: Opened, three_hosts: SmallNova) -> None:
    three_hosts.full = {"rp-h2"}
    three_hosts.inventories["rp-h2"] = {
        "VCPU": {"total": 64, "reserved": 0, "allocation_ratio": 4.0},
        "MEMORY_MB": {"total": 999999, "reserved": 512, "allocation_ratio": 1.0},
    }
    assert east.cloud.start_live_migration(WEB, H2) == LIVE_ID


@pytest.mark.parametrize(
    ("specs", "asked"),
    [
        ({}, "DISK_GB:40,MEMORY_MB:8192,VCPU:4"),
        ({"hw:cpu_policy": "dedicated"}, "DISK_GB:40,MEMORY_MB:8192,PCPU:4"),
        ({"hw:cpu_policy": "mixed"}, "DISK_GB:40,MEMORY_MB:8192"),
        ({"resources:MEMORY_MB": "0", "resources1:CUSTOM_X": "1"}, "DISK_GB:40,VCPU:4"),
    ],
)
def test_room_is_asked_for_as_nova_claims_it(
    east: Opened, three_hosts: SmallNova, specs: dict[str, str], asked: str
) -> None:
    three_hosts.servers[0] = server_row("web", flavor={"extra_specs": specs})
    east.cloud.start_live_migration(WEB, H2)
    room = next(a for a in three_hosts.stub.asked if a.path == "/placement/allocation_candidates")
    assert room.query == {"resources": [asked], "in_tree": ["rp-h2"], "limit": ["1"]}


def test_a_host_that_was_reinstalled_is_looked_up_anew(east: Opened, three_hosts: SmallNova) -> None:
    east.cloud.inventory()
    three_hosts.nodes[1]["id"] = "rp-new"
    assert east.cloud.start_live_migration(WEB, H2) == LIVE_ID


@pytest.mark.parametrize(
    ("policy", "target", "why"),
    [
        ("anti-affinity", "h2", "db of the anti-affinity group pair is on h2"),
        ("affinity", "h3", "db of the affinity group pair is on h2, not on h3"),
        ("anti-affinity", "h3", ""),
        ("affinity", "h2", ""),
        ("soft-anti-affinity", "h2", ""),
    ],
)
def test_groups_are_kept(east: Opened, three_hosts: SmallNova, policy: str, target: str, why: str) -> None:
    three_hosts.servers[0] = server_row("web", server_groups=["g"])
    three_hosts.groups = [{"id": "g", "name": "pair", "policy": policy, "members": ["web", "db"]}]
    if not why:
        assert east.cloud.start_live_migration(WEB, HostName(target))
        return
    with pytest.raises(Refused, match=why):
        east.cloud.start_live_migration(WEB, HostName(target))


# Evacuating


def dead(nova: SmallNova, **server: Any) -> None:
    nova.services[0]["state"] = "down"
    nova.servers[0] = server_row("web", **server)


def test_nothing_is_evacuated_from_a_host_that_is_up(east: Opened, three_hosts: SmallNova) -> None:
    with pytest.raises(Refused, match=r"takes host h1 for up.*service set --down h1"):
        east.cloud.start_evacuation(WEB)
    assert three_hosts.stub.paths("POST") == []


def test_an_evacuation_stays_in_the_zone_though_nova_would_not_keep_it(east: Opened, three_hosts: SmallNova) -> None:
    dead(three_hosts)
    three_hosts.full = {"rp-h2"}
    assert east.cloud.start_evacuation(WEB) == EVACUATED_ID
    assert three_hosts.stub.asked[-1].body == {"evacuate": {"host": "h3"}}
    three_hosts.full = {"rp-h2", "rp-h3"}
    with pytest.raises(Refused, match="no host of zone az1 is up and has room for web"):
        east.cloud.start_evacuation(WEB)


def test_a_server_tied_to_its_zone_is_nova_s_to_place(east: Opened, three_hosts: SmallNova) -> None:
    dead(three_hosts, pinned_availability_zone="az1")
    east.cloud.start_evacuation(WEB)
    assert three_hosts.stub.asked[-1].body == {"evacuate": {}}
    east.cloud.start_evacuation(WEB, H2)
    assert three_hosts.stub.asked[-1].body == {"evacuate": {"host": "h2"}}
    with pytest.raises(Refused, match="zone az2"):
        east.cloud.start_evacuation(WEB, HostName("far"))


# Hosts


def test_disabling_and_enabling_name_the_service(east: Opened, three_hosts: SmallNova) -> None:
    east.cloud.disable_host(H1, "new memory")
    assert three_hosts.stub.asked[-1].body == {"status": "disabled", "disabled_reason": "new memory"}
    host = east.cloud.host(H1)
    assert host is not None
    assert (host.state, host.state_note) == ("disabled", "new memory")
    east.cloud.enable_host(H1)
    assert three_hosts.stub.asked[-1].body == {"status": "enabled"}
    assert three_hosts.stub.paths("PUT") == ["/compute/os-services/svc-h1"] * 2


def test_a_reason_that_nova_cannot_keep_is_refused(east: Opened, three_hosts: SmallNova) -> None:
    with pytest.raises(Refused, match="at most 255 characters"):
        east.cloud.disable_host(H1, "x" * 256)
    with pytest.raises(Refused, match="no compute host of that name"):
        east.cloud.disable_host(HostName("h9"), "x")
    with pytest.raises(Refused, match="no compute host of that name"):
        east.cloud.enable_host(HostName("h9"))
    assert three_hosts.stub.paths("PUT") == []


@pytest.mark.parametrize("kind", ["live", "cold"])
def test_nova_too_old_is_refused_with_the_feature(opened: Opener, three_hosts: SmallNova, kind: MigrationKind) -> None:
    three_hosts.stub.newest = "2.55"
    east = opened()
    if kind == "live":
        assert east.cloud.start_live_migration(WEB, H2)
        return
    with pytest.raises(Refused, match=r"cold migration to a host of our choice needs Nova's API 2.56, it offers 2.55"):
        east.cloud.start_cold_migration(WEB, H2)
