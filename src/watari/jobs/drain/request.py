"""What somebody asks a drain for: which hosts, why, and what becomes of them afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches

from watari.errors import BadInput
from watari.model.compute import ComputeSnapshot, Host, HostName

OURS = "watari drain"  # how the reasons begin by which a host that we disabled is known again
FEW = 12  # hosts that are all named when somebody names none of them
LONGEST_REASON = 200  # characters; Nova keeps 255 of a disabled_reason


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """The hosts to empty, together.

    `storage_why` tells for a host why its disks must not go away; hosts that are missing or have "" there may.
    """

    hosts: tuple[HostName, ...]
    reason: str = ""
    then_enable: bool = False
    storage_why: Mapping[HostName, str] = field(default_factory=dict)


def known_hosts(snapshot: ComputeSnapshot, names: Iterable[str]) -> tuple[HostName, ...]:
    """The hosts of that name, each once. Raises BadInput that names the nearest for one that does not exist."""
    wanted = tuple(dict.fromkeys(HostName(name) for name in names))
    if not wanted:
        raise BadInput("name at least one host to drain")
    for name in wanted:
        if name not in snapshot.hosts:
            raise BadInput(f'no host "{name}" in this snapshot{_hint(name, sorted(snapshot.hosts))}')
    return wanted


def _hint(name: str, hosts: list[HostName]) -> str:
    if near := get_close_matches(name, hosts, 3):
        return f"; did you mean {' or '.join(near)}?"
    return f"; the hosts are {', '.join(hosts)}" if 0 < len(hosts) <= FEW else ""


def disable_reason(host: Host, reason: str, at: datetime) -> str:
    """What the cloud shows as the reason. A host that a drain disabled before keeps that one: it is still ours.

    Raises BadInput for a reason that is too long to be kept.
    """
    if disabled_by_us(host):
        return host.state_note
    said = " ".join(reason.split())
    if len(said) > LONGEST_REASON:
        raise BadInput(f"the reason has {len(said)} characters; the cloud keeps {LONGEST_REASON}: shorten it")
    return f"{OURS}{f': {said}' if said else ''} ({at.astimezone(UTC):%Y-%m-%dT%H:%MZ})"


def disabled_by_us(host: Host) -> bool:
    """An earlier drain took the host out of service."""
    return host.state in ("disabled", "draining") and host.state_note.startswith(OURS)
