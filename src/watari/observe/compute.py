"""Join a cloud's inventory, its meter and its orchestrators into one snapshot."""

from collections.abc import Collection, Mapping

from watari.model.compute import ComputeSnapshot, Membership, Server, ServerId
from watari.ports import Clock, Compute, Inventory, Meter, Orchestrator


def compute_snapshot(
    source: Compute | Inventory, meter: Meter, clock: Clock, orchestrators: Collection[Orchestrator] = ()
) -> ComputeSnapshot:
    """Read inventory (or take one that was just read), then loads, then the clock: so no load is from the future.

    Raises Transient also for an orchestrator that does not answer: whose servers they are is not guessed.
    """
    inventory = source if isinstance(source, Inventory) else source.inventory()
    loads = meter.loads(inventory.servers.keys())
    return ComputeSnapshot(
        taken_at=clock.now(), hosts=inventory.hosts, servers=inventory.servers, loads=loads,
        groups=inventory.groups, flights=inventory.flights, past=inventory.past, cloud=inventory.cloud,
        memberships=memberships(inventory.servers.values(), orchestrators),
    )  # fmt: skip


def memberships(
    servers: Collection[Server], orchestrators: Collection[Orchestrator]
) -> Mapping[ServerId, tuple[Membership, ...]]:
    """Which orchestrators each server works for, in their order."""
    found: dict[ServerId, tuple[Membership, ...]] = {}
    for orchestrator in orchestrators:
        for server, member in orchestrator.members(servers).items():
            found[server] = (*found.get(server, ()), Membership(orchestrator.name, member))
    return found
