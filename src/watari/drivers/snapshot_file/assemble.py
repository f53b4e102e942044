"""From the rows of a snapshot file to a snapshot: references checked, what can be left out safely left out and said."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from watari.drivers.snapshot_file.loads import has_capacity, loads_of
from watari.drivers.snapshot_file.problems import Problems, counted, did_you_mean, quoted, some
from watari.drivers.snapshot_file.schema import FileFlight, FileGroup, FileHost, FilePastMove, FileServer, SnapshotFile
from watari.model.compute import (
    ComputeSnapshot,
    Flight,
    GroupId,
    Host,
    HostName,
    Membership,
    PastMove,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)
from watari.model.reasons import Finding

NO_CAPACITY = "has no capacity"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Names of rows that were left out because they are broken themselves: pointing at them is no second problem."""

    hosts: frozenset[str] = field(default_factory=frozenset)
    servers: frozenset[str] = field(default_factory=frozenset)


def assemble(
    file: SnapshotFile, problems: Problems, unreadable: Unreadable | None = None
) -> tuple[ComputeSnapshot, tuple[Finding, ...]]:
    """The snapshot and what to know about it. It may only be used if `problems` stays empty."""
    unreadable = unreadable or Unreadable()
    findings: list[Finding] = []
    hosts = _hosts(file.hosts, problems)
    servers = _servers(file.servers, hosts, unreadable, problems)
    groups = _groups(file.groups, servers, unreadable, problems)
    flights = _flights(file.flights, hosts, servers, unreadable, problems, findings)
    past = _past(file.past, servers, unreadable, findings)
    loads, about_loads = loads_of(file.servers, hosts, file.taken_at, problems)
    guests = _guests(servers.values())
    snapshot = ComputeSnapshot(
        taken_at=file.taken_at,
        hosts={name: _without_capacity(host) for name, host in hosts.items()},
        servers=servers,
        loads=loads,
        groups=groups,
        flights=flights,
        past=past,
        cloud=file.cloud,
        memberships={
            ServerId(row.id): tuple(Membership(one.orchestrator, one.member) for one in row.member_of)
            for row in file.servers
            if row.member_of
        },
    )
    about_hosts = [finding for host in hosts.values() for finding in _host_findings(host, guests.get(host.name, []))]
    return snapshot, (*_emptiness(file), *about_hosts, *about_loads, *findings, *_late(file, file.taken_at))


def _hosts(rows: list[FileHost], problems: Problems) -> dict[HostName, Host]:
    hosts: dict[HostName, Host] = {}
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        if first.setdefault(row.name, i) != i:
            _duplicate(problems, "hosts", i, row.name, "name", first[row.name])
            continue
        hosts[HostName(row.name)] = Host(
            HostName(row.name), ZoneName(row.zone), row.cpus, row.memory_mib, row.disk_gib, row.cpu_ratio,
            row.link_mib_s, row.state, row.state_note, row.rack, row.aggregates,
        )  # fmt: skip
    return hosts


def _servers(
    rows: list[FileServer], hosts: Mapping[HostName, Host], unreadable: Unreadable, problems: Problems
) -> dict[ServerId, Server]:
    servers: dict[ServerId, Server] = {}
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        name = row.id if row.name is None else row.name
        if first.setdefault(row.id, i) != i:
            _duplicate(problems, "servers", i, name or row.id, "id", first[row.id])
            continue
        host = HostName(row.host)
        if host not in hosts and host not in unreadable.hosts:
            problems.row("servers", i, name or row.id, "host", _unknown_host(host, hosts))
        servers[ServerId(row.id)] = Server(
            ServerId(row.id), name, host, row.vcpus, row.memory_mib, row.local_disk_gib, row.project, row.flavor,
            row.status, row.aggregates, row.pinned_by, row.metadata, row.no_cold,
        )  # fmt: skip
    return servers


def _groups(
    rows: list[FileGroup], servers: Mapping[ServerId, Server], unreadable: Unreadable, problems: Problems
) -> dict[GroupId, ServerGroup]:
    groups: dict[GroupId, ServerGroup] = {}
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        name = row.id if row.name is None else row.name
        if first.setdefault(row.id, i) != i:
            _duplicate(problems, "groups", i, name or row.id, "id", first[row.id])
            continue
        for member in sorted(row.members - servers.keys() - unreadable.servers):
            problems.row("groups", i, name or row.id, "members", _unknown_server(member, servers))
        groups[GroupId(row.id)] = ServerGroup(GroupId(row.id), name, row.policy, frozenset(map(ServerId, row.members)))
    return groups


def _flights(
    rows: list[FileFlight],
    hosts: Mapping[HostName, Host],
    servers: Mapping[ServerId, Server],
    unreadable: Unreadable,
    problems: Problems,
    findings: list[Finding],
) -> tuple[Flight, ...]:
    flights: dict[ServerId, Flight] = {}
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        flight = Flight(ServerId(row.server), HostName(row.source), HostName(row.target), row.since)
        server = servers.get(flight.server)
        if server is None:
            if flight.server not in unreadable.servers:
                problems.row("flights", i, row.server, "server", _unknown_server(row.server, servers))
            continue
        if first.setdefault(row.server, i) != i:
            _duplicate(problems, "flights", i, row.server, "server", first[row.server])
            continue
        for key, host in (("source", flight.source), ("target", flight.target)):
            if host not in hosts and host not in unreadable.hosts:
                problems.row("flights", i, row.server, key, _unknown_host(host, hosts))
        if flight.source == flight.target:
            problems.row("flights", i, row.server, "target", "is the source too; a migration goes to another host")
        elif server.host == flight.target:
            text = f"is on {flight.target} already; its migration from {flight.source} is no longer under way, left out"
            findings.append(Finding(server.name, "flight-landed", text, "info"))
        elif server.host != flight.source:
            cure = f"the server is on {quoted(server.host)}; correct one of them, or export the file again"
            problems.row("flights", i, row.server, "source", f"is {quoted(flight.source)}, but {cure}")
        else:
            flights[flight.server] = flight
    return tuple(flights.values())


def _past(
    rows: list[FilePastMove], servers: Mapping[ServerId, Server], unreadable: Unreadable, findings: list[Finding]
) -> tuple[PastMove, ...]:
    past = []
    gone: dict[str, int] = {}
    for row in rows:
        if row.server in servers:
            source, target = HostName(row.source), HostName(row.target)
            past.append(PastMove(ServerId(row.server), source, target, row.ended, row.done, row.benefit))
        elif row.server not in unreadable.servers:
            gone[row.server] = gone.get(row.server, 0) + 1
    if gone:
        moves = counted(sum(gone.values()), "past move")
        text = f"{moves} of servers that do not exist (any more), left out: {some([*gone])}"
        findings.append(Finding("past", "past-of-unknown-server", text, "info"))
    return tuple(past)


def _guests(servers: Iterable[Server]) -> dict[HostName, list[Server]]:
    guests: dict[HostName, list[Server]] = {}
    for server in servers:
        guests.setdefault(server.host, []).append(server)
    return guests


def _without_capacity(host: Host) -> Host:
    """A host without capacity as one that can receive nothing, the same however often the file is written and read."""
    if has_capacity(host):
        return host
    note = (
        host.state_note if NO_CAPACITY in host.state_note else "; ".join(filter(None, (NO_CAPACITY, host.state_note)))
    )
    return replace(host, state="disabled" if host.state == "up" else host.state, state_note=note)


def _host_findings(host: Host, guests: list[Server]) -> Iterable[Finding]:
    if not has_capacity(host):
        text = f"has no capacity: {host.cpus:g} cpus, {host.memory_mib:,} MiB memory; it receives nothing"
        if guests:
            text += f", and the load of {counted(len(guests), 'server')} on it counts as unknown"
        yield Finding(host.name, "no-capacity", text, "warning", "Correct its cpus and memory_mib, or remove it")
    elif (used := sum(server.memory_mib for server in guests)) > host.memory_mib:
        text = (
            f"{counted(len(guests), 'server')} with {used:,} MiB memory together, the host has {host.memory_mib:,} MiB"
        )
        yield Finding(
            host.name,
            "memory-overcommitted",
            text,
            "warning",
            "Correct memory_mib if memory is overcommitted on purpose",
        )


def _emptiness(file: SnapshotFile) -> Iterable[Finding]:
    if not file.hosts:
        text = "there are no hosts, so there is nothing to plan"
        yield Finding(
            file.cloud or "cloud", "empty-cloud", text, "warning", "Export it with a user who may list hypervisors"
        )
    elif not file.servers:
        yield Finding(
            file.cloud or "cloud",
            "no-servers",
            f"{counted(len(file.hosts), 'host')}, no servers: nothing to move",
            "info",
        )


def _late(file: SnapshotFile, taken_at: datetime) -> Iterable[Finding]:
    """Migrations that the file dates after itself: kept, as they only make planning more careful."""
    late = [row.server for row in file.flights if row.since > taken_at] + [
        m.server for m in file.past if m.ended > taken_at
    ]
    if late:
        text = f"{counted(len(late), 'migration')} later than taken_at ({taken_at.isoformat()}): {some(late)}"
        yield Finding(
            "past", "move-from-future", text, "warning", "Check the clocks of the machines that wrote the times"
        )


def _duplicate(problems: Problems, section: str, index: int, label: str, key: str, first: int) -> None:
    numbers = problems.numbers.get(section)
    place = f"{section}[{numbers[first] if numbers else first}]"
    cure = "list a server's migration once" if section == "flights" else "give each its own"
    problems.row(section, index, label, key, f"is the same as that of {place}; {cure}")


def _unknown_host(host: str, hosts: Mapping[HostName, Host]) -> Callable[[], str]:
    return lambda: (
        f"{quoted(host)} is not among the {counted(len(hosts), 'host')}"
        + (did_you_mean(host, hosts) or "; add the host, or correct the name")
    )


def _unknown_server(server: str, servers: Mapping[ServerId, Server]) -> Callable[[], str]:
    def words() -> str:
        by_name = [s.id for s in servers.values() if s.name == server]
        near = f"; it is the name of {quoted(by_name[0])}: write the id" if by_name else did_you_mean(server, servers)
        return f"{quoted(server)} is not the id of a server here{near or '; add the server, or take it out'}"

    return words
