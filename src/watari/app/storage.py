"""Who is asked whether a host's disks may go away."""

from watari.drivers.storage_hook import StorageHook
from watari.policy.values import Policy
from watari.ports import Storage


def storage_of(policy: Policy) -> Storage | None:
    """The policy's command; None where hosts hold no others' data."""
    return StorageHook(policy.drain.storage_check) if policy.drain.storage_check else None
