"""What a policy says to drivers: who is asked whether a host's disks may go away, and how live moves treat guests."""

from watari.drivers.storage_hook import StorageHook
from watari.policy.values import Policy
from watari.ports import Storage, Style


def storage_of(policy: Policy) -> Storage | None:
    """The policy's command; None where hosts hold no others' data."""
    return StorageHook(policy.drain.storage_check) if policy.drain.storage_check else None


def style_of(policy: Policy) -> Style:
    """How live moves may treat their guests."""
    copying = policy.copying
    return Style(copying.max_downtime_s, copying.auto_converge, copying.post_copy_after_s)
