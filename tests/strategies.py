"""Hypothesis strategies: random small clouds and plans that are sound, for every property test."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import strategies as st

from watari.model.compute import (
    ComputeSnapshot,
    Flight,
    GroupId,
    GroupPolicy,
    Host,
    HostName,
    HostState,
    Load,
    PastMove,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)
from watari.model.reasons import Candidate, Finding, Reason, Refusal, Severity
from watari.plan.plan import Cost, Forecast, HostForecast, Operation, OperationId, Plan
from watari.plan.steps import LiveMigrate

T = TypeVar("T")

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
ROLES = ("web", "db", "cache")

_STATES: tuple[HostState, ...] = ("up", "up", "up", "up", "up", "disabled", "draining", "down")
_POLICIES: tuple[GroupPolicy, ...] = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
_VCPUS = (1, 2, 4, 8, 16)

# Names as tenants write them: quotes, other scripts, control characters; no lone surrogates, which UTF-8 cannot hold.
_WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
_FLOATS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
_AMOUNTS = st.floats(min_value=0, max_value=1e6, allow_nan=False)
_COUNTS = st.integers(min_value=0, max_value=10**9)
_ZONES = st.integers(min_value=-14 * 60, max_value=14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
_TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=_ZONES)


@st.composite
def snapshots(
    draw: st.DrawFn, min_hosts: int = 1, max_hosts: int = 6, max_servers: int = 20, max_zones: int = 3
) -> ComputeSnapshot:
    """A cloud in which memory and disk fit, with groups, flights, past moves and loads by the fluid rule.

    Some servers send no data and some send data of up to half an hour ago. `role` stands in the metadata of most.
    Zones are az1 ..., hosts az1-h00 ..., servers web-000 ... with the ids id-000 ...
    """
    hosts = draw(_hosts(min_hosts, max_hosts, max_zones))
    servers = draw(_servers(hosts, max_servers))
    moved = draw(st.lists(st.sampled_from(sorted(servers)), unique=True, max_size=3)) if servers else []
    flights = [flight for id in moved if (flight := draw(_flight(servers[id], hosts))) is not None]
    past = draw(st.lists(_past_move(sorted(servers), sorted(hosts)), max_size=6)) if servers else []
    return ComputeSnapshot(
        taken_at=NOON,
        hosts=hosts,
        servers=servers,
        loads=draw(_loads(hosts, servers)),
        groups=draw(_groups(sorted(servers))),
        flights=tuple(flights),
        past=tuple(past),
        cloud=draw(st.sampled_from(("", "sim", "east 1"))),
    )


@st.composite
def _hosts(draw: st.DrawFn, least: int, most: int, zones: int) -> dict[HostName, Host]:
    hosts = {}
    for i in range(draw(st.integers(least, most))):
        zone = ZoneName(f"az{draw(st.integers(1, zones))}")
        name = HostName(f"{zone}-h{i:02d}")
        state = draw(st.sampled_from(_STATES))
        hosts[name] = Host(
            name=name,
            zone=zone,
            cpus=float(draw(st.sampled_from((4, 8, 24)))),
            memory_mib=draw(st.sampled_from((32768, 65536, 131072))),
            disk_gib=draw(st.sampled_from((0, 500, 2000))),
            cpu_ratio=draw(st.sampled_from((4.0, 16.0))),
            link_mib_s=draw(st.sampled_from((119.2, 1192.0))),
            state=state,
            state_note="" if state == "up" else "maintenance",
            rack=draw(st.sampled_from(("", "r1", "r2"))),
            aggregates=frozenset(draw(st.sets(st.sampled_from(("ssd", "gpu")), max_size=2))),
        )
    return hosts


@st.composite
def _servers(draw: st.DrawFn, hosts: dict[HostName, Host], most: int) -> dict[ServerId, Server]:
    memory = {name: host.memory_mib for name, host in hosts.items()}
    disk = {name: host.disk_gib for name, host in hosts.items()}
    servers = {}
    for i in range(draw(st.integers(0, most)) if hosts else 0):
        host = hosts[draw(st.sampled_from(sorted(hosts)))]
        vcpus = draw(st.sampled_from(_VCPUS))
        memory_mib = 1024 * draw(st.integers(1, 8))
        disk_gib = draw(st.sampled_from((0, 0, 20)))
        if memory_mib > memory[host.name] or disk_gib > disk[host.name]:
            continue
        memory[host.name] -= memory_mib
        disk[host.name] -= disk_gib
        role = draw(st.sampled_from((*ROLES, "")))
        id = ServerId(f"id-{i:03d}")
        servers[id] = Server(
            id=id,
            name=f"{role or 'vm'}-{i:03d}",
            host=host.name,
            vcpus=vcpus,
            memory_mib=memory_mib,
            local_disk_gib=disk_gib,
            project=draw(st.sampled_from(("", "shop", "mail"))),
            flavor=f"v{vcpus}",
            status=draw(st.sampled_from(("ACTIVE", "ACTIVE", "ACTIVE", "SHUTOFF", "ERROR"))),
            aggregates=frozenset(draw(st.sets(st.sampled_from(sorted(host.aggregates)), max_size=1)))
            if host.aggregates
            else frozenset(),
            pinned_by=draw(st.sampled_from(("", "", "", "PCI device"))),
            metadata={"role": role} if role else {},
        )
    return servers


@st.composite
def _loads(draw: st.DrawFn, hosts: dict[HostName, Host], servers: dict[ServerId, Server]) -> dict[ServerId, Load]:
    demand = {
        id: round(server.vcpus * draw(st.sampled_from((0.0, 0.05, 0.3, 0.7, 1.0))), 2) for id, server in servers.items()
    }
    total = dict.fromkeys(hosts, 0.0)
    for id, server in servers.items():
        total[server.host] += demand[id]
    loads = {}
    for id, server in servers.items():
        age_s = draw(st.sampled_from((0, 0, 0, 15, 240, 1800, None)))
        if age_s is None:
            continue
        stretch = max(1.0, total[server.host] / hosts[server.host].cpus)
        wanted = demand[id] / server.vcpus
        loads[id] = Load(
            steal=(1 - 1 / stretch) * wanted,
            load_per_vcpu=wanted * stretch,
            cpu_demand=demand[id],
            at=NOON - timedelta(seconds=age_s),
            source=draw(st.sampled_from(("", "prometheus"))),
        )
    return loads


@st.composite
def _groups(draw: st.DrawFn, servers: list[ServerId]) -> dict[GroupId, ServerGroup]:
    """Groups without members in common, as Nova has them."""
    groups = {}
    free = list(servers)
    for i in range(draw(st.integers(0, 2))):
        members = draw(st.lists(st.sampled_from(free), unique=True, max_size=4)) if free else []
        free = [id for id in free if id not in members]
        id = GroupId(f"g{i}")
        name = draw(st.sampled_from((str(id), "pair")))
        groups[id] = ServerGroup(id, name, draw(st.sampled_from(_POLICIES)), frozenset(members))
    return groups


@st.composite
def _flight(draw: st.DrawFn, server: Server, hosts: dict[HostName, Host]) -> Flight | None:
    zone = hosts[server.host].zone
    targets = sorted(name for name, host in hosts.items() if host.zone == zone and name != server.host)
    if not targets:
        return None
    since = NOON - timedelta(seconds=draw(st.integers(0, 600)))
    return Flight(server.id, server.host, draw(st.sampled_from(targets)), since)


@st.composite
def _past_move(draw: st.DrawFn, servers: list[ServerId], hosts: list[HostName]) -> PastMove:
    gone = HostName("gone-h99")
    return PastMove(
        server=draw(st.sampled_from(servers)),
        source=draw(st.sampled_from([*hosts, gone])),
        target=draw(st.sampled_from([*hosts, gone])),
        ended=NOON - timedelta(seconds=draw(st.integers(0, 100_000))),
        done=draw(st.booleans()),
        benefit=draw(st.none() | st.floats(-1, 1)),
    )


def plans(max_operations: int = 4) -> st.SearchStrategy[Plan]:
    """A plan of any words and numbers: right in its types, not sensible."""
    return st.builds(
        Plan,
        id=_WORDS,
        job=_WORDS,
        cloud=_WORDS,
        made_at=_TIMES,
        expires_at=_TIMES,
        snapshot_digest=_WORDS,
        policy_digest=_WORDS,
        operations=_tuples(operations(), max_operations),
        refusals=_tuples(_refusals(), 4),
        findings=_tuples(st.builds(Finding, _WORDS, _WORDS, _WORDS, st.sampled_from(_SEVERITIES), _WORDS), 3),
        forecast=st.builds(
            Forecast,
            _COUNTS, _COUNTS, _AMOUNTS, _AMOUNTS, _COUNTS, _COUNTS,
            _tuples(st.builds(HostForecast, _WORDS, _AMOUNTS, _AMOUNTS, _COUNTS, _COUNTS), 3),
        ),
    )  # fmt: skip


def operations() -> st.SearchStrategy[Operation]:
    """An operation of any words and numbers; it has at least one step."""
    ids = _WORDS.map(OperationId)
    hosts = _WORDS.map(HostName)
    steps = st.builds(LiveMigrate, _WORDS.map(ServerId), hosts, hosts, st.none() | _AMOUNTS)
    return st.builds(
        Operation,
        id=ids,
        subject=_WORDS,
        name=_WORDS,
        zone=_WORDS,
        role=_WORDS,
        wave=st.integers(1, 5),
        steps=_tuples(steps, 2, least=1),
        cost=st.builds(Cost, _AMOUNTS, _AMOUNTS, _AMOUNTS, _AMOUNTS),
        reasons=_tuples(st.builds(Reason, _WORDS, _WORDS, _WORDS, _WORDS), 3),
        candidates=_tuples(_candidates(), 3),
        steal_before=st.none() | st.floats(0, 1),
        steal_after=st.none() | st.floats(0, 1),
        relieves=_tuples(_WORDS, 3),
        waits_for=_tuples(ids, 2),
        waits_why=_WORDS,
        destructive=st.booleans(),
    )


def _refusals() -> st.SearchStrategy[Refusal]:
    return st.builds(Refusal, _WORDS, _WORDS | st.just("relieved"), _WORDS, _WORDS, _tuples(_candidates(), 2))


def _candidates() -> st.SearchStrategy[Candidate]:
    steal = st.none() | st.floats(0, 1)
    return st.builds(Candidate, _WORDS, st.none() | _FLOATS, steal, _COUNTS, _COUNTS, _AMOUNTS, _WORDS)


def _tuples(items: st.SearchStrategy[T], most: int, least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


@st.composite
def contended(draw: st.DrawFn, max_hosts: int = 6) -> ComputeSnapshot:
    """A sound cloud in need: hosts that are up, servers that may move, fresh loads by the fluid rule, no flights.

    Some hosts are asked for far more than they have and others for little, so that most plans have moves.
    """
    hosts: dict[HostName, Host] = {}
    servers: dict[ServerId, Server] = {}
    demand: dict[ServerId, float] = {}
    for i in range(draw(st.integers(2, max_hosts))):
        zone = ZoneName(draw(st.sampled_from(("az1", "az1", "az2"))))
        host = Host(HostName(f"{zone}-h{i}"), zone, 8.0, 65536, 500, cpu_ratio=draw(st.sampled_from((3.0, 16.0))))
        hosts[host.name] = host
        busy = draw(st.booleans())
        for _ in range(draw(st.integers(4, 7) if busy else st.integers(0, 3))):
            vcpus = draw(st.sampled_from((1, 2, 4)))
            role = draw(st.sampled_from((*ROLES, "")))
            server = Server(
                id=ServerId(f"id-{len(servers):03d}"),
                name=f"{role or 'vm'}-{len(servers):03d}",
                host=host.name,
                vcpus=vcpus,
                memory_mib=1024 * draw(st.integers(1, 9)),
                local_disk_gib=draw(st.sampled_from((0, 0, 60))),
                metadata={"role": role} if role else {},
            )
            servers[server.id] = server
            demand[server.id] = round(vcpus * draw(st.sampled_from((0.1, 0.5, 0.9, 1.0) if busy else (0.1, 0.4))), 2)
    snapshot = ComputeSnapshot(NOON, hosts, servers, {}, draw(_groups(sorted(servers))))
    return replace(snapshot, loads=fluid_loads(snapshot, demand))


def fluid_loads(snapshot: ComputeSnapshot, demand: Mapping[ServerId, float]) -> dict[ServerId, Load]:
    """What servers suffer where they are: a host that is asked for too much serves every demand by the same share."""
    total = dict.fromkeys(snapshot.hosts, 0.0)
    for id, cores in demand.items():
        total[snapshot.servers[id].host] += cores
    loads = {}
    for id, cores in demand.items():
        server = snapshot.servers[id]
        stretch = max(1.0, total[server.host] / snapshot.hosts[server.host].cpus)
        wanted = cores / server.vcpus
        loads[id] = Load((1 - 1 / stretch) * wanted, wanted * stretch, cores, snapshot.taken_at, "fluid")
    return loads


def after_moves(snapshot: ComputeSnapshot, moves: Mapping[ServerId, HostName]) -> ComputeSnapshot:
    """The same cloud with servers elsewhere, and loads as the fluid rule has them there."""
    placed = {id: replace(s, host=moves.get(id, s.host)) for id, s in snapshot.servers.items()}
    moved = replace(snapshot, servers=placed)
    return replace(moved, loads=fluid_loads(moved, {id: load.cpu_demand for id, load in snapshot.loads.items()}))
