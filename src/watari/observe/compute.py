"""Join a cloud's inventory and its meter into one snapshot."""

from watari.model.compute import ComputeSnapshot
from watari.ports import Clock, Compute, Meter


def compute_snapshot(compute: Compute, meter: Meter, clock: Clock) -> ComputeSnapshot:
    """Read inventory, then loads, then the clock (so that no load is from the future)."""
    inventory = compute.inventory()
    loads = meter.loads(inventory.servers.keys())
    return ComputeSnapshot(
        taken_at=clock.now(), hosts=inventory.hosts, servers=inventory.servers, loads=loads,
        groups=inventory.groups, flights=inventory.flights, past=inventory.past, cloud=inventory.cloud,
    )  # fmt: skip
