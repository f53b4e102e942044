"""Whether the cloud takes a request to move a server: what Nova's API, scheduler and conductor check."""

from collections.abc import Iterable, Mapping, Sequence

from watari.model.compute import Host, HostName, Server, ServerGroup, ServerId
from watari.ports import MigrationKind

# `held` below: for each server that moves, the host other than its own where it holds its place: the target while it
# copies, the source while it waits to be confirmed.
Held = Mapping[ServerId, HostName]

MOVABLE: dict[MigrationKind, tuple[tuple[str, ...], str]] = {
    "live": (("ACTIVE",), "only an ACTIVE server can be migrated live"),
    "cold": (("ACTIVE", "SHUTOFF"), "only a server that is ACTIVE or SHUTOFF can be migrated cold"),
    "evacuation": (("ACTIVE", "SHUTOFF", "ERROR"), "only one that is ACTIVE, SHUTOFF or ERROR can be evacuated"),
}


def why_it_stays(kind: MigrationKind, server: Server, source: Host, held: Held) -> str:
    """Why `server` cannot leave `source` in this way, wherever to, as a sentence; empty if it can."""
    right, rule = MOVABLE[kind]
    if server.id in held and server.status != "VERIFY_RESIZE":
        return f"{server.name} is already migrating to {held[server.id]}; wait until that is over"
    if kind == "evacuation" and source.state != "down":
        return f"{server.name} cannot be evacuated: its host {source.name} is up; migrate it instead"
    if server.status not in right:
        return f"{server.name} is {server.status}; {rule}"
    if kind == "live" and server.pinned_by:
        return f"{server.name} cannot be migrated live: it holds {server.pinned_by}"
    if kind != "evacuation" and source.state == "down":
        return f"its host {source.name} is down; nothing can be copied from it"
    return ""


def why_not_there(
    server: Server,
    target: Host,
    source: Host,
    there: Sequence[Server],
    groups: Iterable[tuple[ServerGroup, Sequence[Server]]],
    held: Held,
) -> str:
    """Why `target` does not take `server`, as a sentence; empty if it does.

    `there`: what holds room on the target. `groups`: the server's groups with their members.
    """
    if target.state != "up":
        note = f" ({target.state_note})" if target.state_note else ""
        return f"{target.name} is {target.state}{note}; choose a host that is up"
    return _place(server, target, source) or _room(server, target, there) or _groups(server, target, groups, held)


def _place(server: Server, target: Host, source: Host) -> str:
    if target.name == source.name:
        return f"{server.name} is on {target.name} already"
    if target.zone != source.zone:
        return f"{target.name} is in zone {target.zone}, {server.name} is in {source.zone}; choose a host of its zone"
    if lacking := server.aggregates - target.aggregates:
        return f"{target.name} is not in the aggregate {', '.join(sorted(lacking))} that {server.name} needs"
    return ""


def _room(server: Server, target: Host, there: Sequence[Server]) -> str:
    needs = (
        ("MiB of memory", server.memory_mib, target.memory_mib - sum(s.memory_mib for s in there)),
        ("GiB of disk", server.local_disk_gib, target.disk_gib - sum(s.local_disk_gib for s in there)),
        ("vCPUs", server.vcpus, int(target.cpus * target.cpu_ratio) - sum(s.vcpus for s in there)),
    )
    for what, need, free in needs:
        if need > free:
            return f"{target.name} has {max(free, 0)} {what} free, {server.name} needs {need}"
    return ""


def _groups(server: Server, target: Host, groups: Iterable[tuple[ServerGroup, Sequence[Server]]], held: Held) -> str:
    """The strict policies; the soft ones never refuse. A member that moves is at both ends."""
    for group, members in groups:
        for other in members:
            is_there = target.name in (other.host, held.get(other.id))
            if other.id == server.id or group.policy not in ("affinity", "anti-affinity"):
                continue
            if group.policy == "anti-affinity" and is_there:
                return f"{other.name} of the anti-affinity group {group.name} is on {target.name}"
            if group.policy == "affinity" and not is_there:
                return f"{other.name} of the affinity group {group.name} is on {other.host}, not on {target.name}"
    return ""
