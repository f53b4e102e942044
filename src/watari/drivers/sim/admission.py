"""Whether the cloud takes a request to migrate: what Nova's scheduler and conductor check."""

from collections.abc import Iterable, Mapping, Sequence

from watari.model.compute import Host, HostName, Server, ServerGroup, ServerId


def why_not(
    server: Server,
    target: Host,
    source: Host,
    there: Sequence[Server],
    groups: Iterable[tuple[ServerGroup, Sequence[Server]]],
    flying: Mapping[ServerId, HostName],
) -> str:
    """Why `server` cannot move to `target` now, as a sentence; empty if it can.

    `there`: what holds room on the target, servers on their way to it included. `groups`: the server's groups with
    their members. `flying`: the target of each server under way.
    """
    return (
        _state(server, target, source, flying)
        or _place(server, target, source)
        or _room(server, target, there)
        or _groups(server, target, groups, flying)
    )


def _state(server: Server, target: Host, source: Host, flying: Mapping[ServerId, HostName]) -> str:
    if server.id in flying:
        return f"{server.name} is already migrating to {flying[server.id]}; wait until that is over"
    if server.status != "ACTIVE":
        return f"{server.name} is {server.status}; only an ACTIVE server can be migrated live"
    if server.pinned_by:
        return f"{server.name} cannot be migrated live: it holds {server.pinned_by}"
    if source.state == "down":
        return f"its host {source.name} is down; nothing can be copied from it"
    if target.state != "up":
        note = f" ({target.state_note})" if target.state_note else ""
        return f"{target.name} is {target.state}{note}; choose a host that is up"
    return ""


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


def _groups(
    server: Server,
    target: Host,
    groups: Iterable[tuple[ServerGroup, Sequence[Server]]],
    flying: Mapping[ServerId, HostName],
) -> str:
    """The strict policies; the soft ones never refuse. A member that flies is at both ends."""
    for group, members in groups:
        for other in members:
            is_there = target.name in (other.host, flying.get(other.id))
            if other.id == server.id or group.policy not in ("affinity", "anti-affinity"):
                continue
            if group.policy == "anti-affinity" and is_there:
                return f"{other.name} of the anti-affinity group {group.name} is on {target.name}"
            if group.policy == "affinity" and not is_there:
                return f"{other.name} of the affinity group {group.name} is on {other.host}, not on {target.name}"
    return ""
