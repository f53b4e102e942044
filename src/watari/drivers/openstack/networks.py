"""Whether live moves share a network with tenants' traffic, as far as Nova and Neutron tell.

Nova sends a live move to the target's `my_ip` (its hypervisor's `host_ip`), unless nova.conf there says
`live_migration_inbound_addr`, which no API shows. Tenants' tunnels end at their agent's `tunneling_ip`.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from watari.drivers.openstack.calls import Calls, Json
from watari.errors import WatariError
from watari.model.compute import HostName
from watari.model.reasons import Finding

CODE: Final = "shared-network"
FIELDS: Final = ["host", "configurations"]
SILENCE: Final = "If they have, say own_network: true in the cloud's `watari:` section: then nobody asks."


def shared_networks(calls: Calls, moves_to: Mapping[HostName, str]) -> tuple[Finding, ...]:
    """A finding if moves to some hosts take the tenants' way; `moves_to`: where each host's Nova takes moves.

    One call. A Neutron that does not say is no trouble: planning goes on, and an info tells why. Without a Neutron, or
    where its agents have no tunnels (OVN names none), there is nothing to say.
    """
    try:
        body = calls.ask_network("/v2.0/agents", "list the network agents", {"fields": FIELDS})
    except WatariError as e:
        why = f"whether moves share a network with tenants is not known: {e}"
        return (Finding("network", CODE, why, "info", f"Let Watari's user list Neutron's agents. {SILENCE}"),)
    tunnels = dict(_tunnels(body or {}))
    shared = sorted(host for host, address in moves_to.items() if address and _same(address, tunnels.get(host)))
    if not shared:
        return ()
    host = shared[0]
    text = (
        f"moves share a network with tenants on {len(shared)} of {len(moves_to)} hosts: on {host} both go to "
        f"{moves_to[host]} (Nova's my_ip, Neutron's tunneling_ip)"
    )
    cure = (
        "Give moves a network of their own (live_migration_inbound_addr in the hosts' nova.conf), or lower "
        f"budgets.link. Nova's API does not show whether they have one. {SILENCE}"
    )
    return (Finding("network", CODE, text, help=cure),)


def _tunnels(body: Json) -> Iterator[tuple[HostName, str]]:
    """Where the tunnels of each host end."""
    for row in body.get("agents") or ():
        said: Any = row.get("configurations") or {}
        if said.get("tunneling_ip") and said.get("tunnel_types", True):
            yield HostName(row.get("host", "")), str(said["tunneling_ip"])


def _same(one: str, other: str | None) -> bool:
    """Nova may be told a name: then they are the same only if they are written alike."""
    try:
        return other is not None and ip_address(one) == ip_address(other)
    except ValueError:
        return one == other
