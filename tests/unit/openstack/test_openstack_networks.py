"""Whether moves share a network with tenants is told where Nova and Neutron say it, and stops no plan."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from unit.openstack.conftest import Opened, Opener
from unit.openstack.small_nova import SmallNova, node_row, server_row, service_row
from unit.openstack.stub import Answer, Json, Stub
from watari.app.clouds import snapshot_of
from watari.model.reasons import Finding

AGENTS = "/network/v2.0/agents"


def agent(host: str, address: str | None, **said: Any) -> Json:
    """An agent of Open vSwitch, as far as Neutron was asked for it."""
    known = {"tunneling_ip": address, "tunnel_types": ["vxlan"], "bridge_mappings": {"physnet1": "br-ex"}}
    return {"host": host, "configurations": known | said}


@pytest.fixture
def neutron(stub: Stub) -> Callable[..., None]:
    """Neutron beside Nova, with these agents."""

    def have(*agents: Json) -> None:
        stub.services.append("network")
        stub.on("GET", AGENTS, {"agents": list(agents)})

    return have


@pytest.fixture
def two_hosts(nova: SmallNova) -> SmallNova:
    nova.servers, nova.services = [server_row("web")], [service_row("h1"), service_row("h2")]
    nova.nodes = [node_row("h1", host_ip="10.0.0.1"), node_row("h2", host_ip="10.0.0.2")]
    return nova


@pytest.fixture
def east(opened: Opener, two_hosts: SmallNova) -> Opened:
    return opened()


def findings(east: Opened) -> tuple[Finding, ...]:
    """As of a plan: after a reading."""
    east.cloud.inventory()
    return east.cloud.about_networks()


def test_hosts_whose_moves_take_the_tenants_way_are_one_finding(east: Opened, neutron: Callable[..., None]) -> None:
    neutron(agent("h1", "10.0.9.1"), agent("h2", "10.0.0.2"), agent("gateway", "10.0.0.1"))
    [found] = findings(east)
    assert (found.code, found.severity) == ("shared-network", "warning")
    assert found.text == (
        "moves share a network with tenants on 1 of 2 hosts: on h2 both go to 10.0.0.2 (Nova's my_ip, Neutron's "
        "tunneling_ip)"
    )
    for word in ("live_migration_inbound_addr", "budgets.link", "does not show", "own_network: true"):
        assert word in found.help


def test_one_call_asks_for_what_is_needed(east: Opened, neutron: Callable[..., None], stub: Stub) -> None:
    neutron(agent("h1", "10.0.0.1"))
    before = len(stub.asked)
    findings(east)
    [asked] = [one for one in stub.asked[before:] if one.path.startswith("/network")]
    assert (asked.path, asked.query) == (AGENTS, {"fields": ["host", "configurations"]})


@pytest.mark.parametrize(
    "agents",
    [
        (),
        [agent("h1", "10.0.9.1"), agent("h2", "10.0.9.2")],
        [agent("h1", "10.0.0.1", tunnel_types=[])],  # VLANs only
        [agent("h1", None), agent("h2", "")],
        [{"host": "h1", "configurations": {"chassis_name": "c", "bridge-mappings": "physnet1:br-ex"}}],  # OVN
        [{"host": "h1", "configurations": None}, {"host": "h2"}],
    ],
)
def test_without_two_facts_nothing_is_said(east: Opened, neutron: Callable[..., None], agents: Iterable[Json]) -> None:
    neutron(*agents)
    assert findings(east) == ()


def test_addresses_are_compared_as_addresses(
    opened: Opener, two_hosts: SmallNova, neutron: Callable[..., None]
) -> None:
    two_hosts.nodes[0] |= {"host_ip": "fd00:0:0:0::1"}
    two_hosts.nodes[1] |= {"host_ip": "h2.example.org"}
    neutron(agent("h1", "fd00::1"), agent("h2", "10.0.0.2"))
    [found] = findings(opened())
    assert "on 1 of 2 hosts: on h1 " in found.text


def test_an_agent_of_linux_bridges_counts_too(east: Opened, neutron: Callable[..., None]) -> None:
    neutron({"host": "h1", "configurations": {"tunneling_ip": "10.0.0.1", "l2_population": True}})
    assert [found.severity for found in findings(east)] == ["warning"]


def test_a_hypervisor_that_tells_no_address_is_not_guessed_at(
    opened: Opener, two_hosts: SmallNova, neutron: Callable[..., None]
) -> None:
    two_hosts.nodes = [node_row("h1"), node_row("h2", host_ip=None)]
    neutron(agent("h1", ""), agent("h2", "10.0.0.2"))
    assert findings(opened()) == ()


def test_a_cloud_without_neutron_says_nothing(east: Opened) -> None:
    assert findings(east) == ()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer({"NeutronError": {"message": "rule:get_agent is disallowed by policy"}}, 403), "may not list the net"),
        (Answer({}, 503), "cannot list the network agents now: 503"),
        (Answer({"NeutronError": {"message": "no such resource"}}, 404), "will not list the network agents"),
        (Answer("<html>maintenance</html>"), "no JSON"),
        (Answer([]), "no object"),
        (Answer(status=0), "cannot be reached to list the network agents"),
    ],
)
def test_a_neutron_that_does_not_say_is_an_info_and_not_asked_again(
    east: Opened, neutron: Callable[..., None], stub: Stub, answer: Answer, why: str
) -> None:
    neutron()
    stub.fail("GET", AGENTS, answer)
    [found] = findings(east)
    assert (found.code, found.severity) == ("shared-network", "info")
    assert found.text.startswith("whether moves share a network with tenants is not known: ")
    assert why in found.text
    assert stub.paths().count(AGENTS) == 1
    assert east.pauses == []


def test_who_says_that_moves_have_a_network_is_not_asked(
    opened: Opener, two_hosts: SmallNova, neutron: Callable[..., None]
) -> None:
    neutron(agent("h1", "10.0.0.1"))
    assert findings(opened(watari={"own_network": True})) == ()
    assert AGENTS not in two_hosts.stub.paths()


def test_a_plan_says_it_and_a_reading_alone_does_not_ask(
    clouds_yaml: Callable[..., Path],
    two_hosts: SmallNova,
    neutron: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    neutron(agent("h1", "10.0.0.1"), agent("h2", "10.0.0.2"))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml()))
    _, found = snapshot_of("east", None, need_loads=False)
    assert [finding.code for finding in found if finding.code != "no-meter"] == ["shared-network"]
    assert "on 2 of 2 hosts: on h1 both go to 10.0.0.1 " in found[-1].text
    assert two_hosts.stub.paths().count(AGENTS) == 1
