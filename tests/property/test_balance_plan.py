"""Whatever the cloud looks like: a plan is made, it is safe in every part and every order, and it helps."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategies import NOON, after_moves, contended, snapshots
from watari.jobs.balance import plan
from watari.jobs.placement.roles import roles_of
from watari.model.compute import ComputeSnapshot, Flight, Host, HostName, Load, Server, ServerId, ZoneName
from watari.plan.codec import dumps, loads
from watari.plan.plan import Operation, Plan
from watari.plan.render import explain, render
from watari.policy.values import Budgets, Exclude, Policy

POLICY = Policy()
CLOUDS = snapshots() | contended()
MOST = settings(max_examples=100)
HALF = settings(max_examples=50)


def moves_of(made: Plan) -> dict[ServerId, HostName]:
    return {ServerId(op.subject): op.target for op in made.operations}


def some_of(data: st.DataObject, made: Plan) -> list[Operation]:
    """Any part of the plan: moves fail, are refused, or are still waiting when somebody looks."""
    operations = list(made.operations)
    return [op for op in operations if data.draw(st.booleans(), label=f"done: {op.name}")]


def settled(snapshot: ComputeSnapshot) -> ComputeSnapshot:
    """The cloud once the moves under way are over."""
    flying = {flight.server: flight.target for flight in snapshot.flights}
    placed = {id: replace(s, host=flying.get(id, s.host)) for id, s in snapshot.servers.items()}
    return replace(snapshot, servers=placed, flights=())


def usable(load: Load | None) -> bool:
    return load is not None and (NOON - load.at).total_seconds() <= POLICY.detect.stale_after_s


def starved(snapshot: ComputeSnapshot) -> set[ServerId]:
    """B1, read off the loads."""
    limits = POLICY.detect
    return {
        id
        for id, load in snapshot.loads.items()
        if usable(load) and load.steal >= limits.steal and load.load_per_vcpu >= limits.load_per_vcpu
    }


def spread(snapshot: ComputeSnapshot) -> dict[str, Counter[HostName]]:
    """Servers per host of each role."""
    numbers, names = roles_of(snapshot, tuple(snapshot.servers.values()), POLICY.roles)
    counts: dict[str, Counter[HostName]] = defaultdict(Counter)
    for server, number in zip(snapshot.servers.values(), numbers.tolist(), strict=True):
        if number >= 0:
            counts[names[number]][server.host] += 1
    return counts


def crowd(snapshot: ComputeSnapshot, moved: Iterable[Operation]) -> dict[HostName, list[Server]]:
    """Whoever holds a place on each host while the moves are under way: a moving server has one at both ends."""
    there: dict[HostName, list[Server]] = defaultdict(list)
    for server in snapshot.servers.values():
        there[server.host].append(server)
    for flight in snapshot.flights:
        there[flight.target].append(snapshot.servers[flight.server])
    for op in moved:
        there[op.target].append(snapshot.servers[ServerId(op.subject)])
    return there


@MOST
@given(CLOUDS)
def test_any_cloud_gets_a_plan_that_can_be_read_and_stored(cloud: ComputeSnapshot) -> None:
    made = plan(cloud, POLICY)
    assert loads(dumps(made)) == made
    assert render(made)
    assert render(made, verbose=True)
    assert all(explain(made, op.name) for op in made.operations)


@MOST
@given(CLOUDS, st.sampled_from(("projected", "published")))
def test_nobody_leaves_its_zone(cloud: ComputeSnapshot, rule: str) -> None:
    policy = replace(POLICY, rule="published" if rule == "published" else "projected")
    for server, target in moves_of(plan(cloud, policy)).items():
        assert cloud.hosts[target].zone == cloud.hosts[cloud.servers[server].host].zone


def web(n: int, host: str, cores: float) -> tuple[Server, Load]:
    server = Server(ServerId(f"web-{n}"), f"web-{n}", HostName(host), 4, 1024, metadata={"role": "web"})
    return server, Load(0.2 if host == "h1" else 0.0, 1.2, cores, NOON)


def leaving() -> ComputeSnapshot:
    """web-1 is leaving h1 for h3 already. If web-2 went to h2, the role would be on two hosts and not on three."""
    names = [HostName(f"h{n}") for n in (1, 2, 3)]
    hosts = {name: Host(name, ZoneName("az1"), 4.0, 65536, 100) for name in names}
    made = [web(1, "h1", 1.0), web(2, "h1", 2.0), web(3, "h2", 0.1)]
    pinned = Server(ServerId("db-1"), "db-1", names[0], 4, 1024, pinned_by="a PCI device")
    servers = {s.id: s for s, _ in made} | {pinned.id: pinned}
    loads = {s.id: load for s, load in made} | {pinned.id: Load(0.2, 1.2, 3.0, NOON)}
    return ComputeSnapshot(NOON, hosts, servers, loads, flights=(Flight(made[0][0].id, names[0], names[2], NOON),))


@MOST
@example(leaving(), None)
@given(CLOUDS, st.data())
def test_no_part_of_a_plan_leaves_a_role_less_spread(cloud: ComputeSnapshot, data: st.DataObject | None) -> None:
    """Not fewer hosts, and on no host more of it than on its fullest one before; flights come and go as they do."""
    made = plan(cloud, POLICY)
    done = list(made.operations) if data is None else some_of(data, made)
    moves = {ServerId(op.subject): op.target for op in done}
    for before_moves in (cloud, settled(cloud)):
        before = spread(before_moves)
        after = spread(after_moves(before_moves, moves))
        for role, hosts in after.items():
            assert max(hosts.values()) <= max(before[role].values())
            assert len(hosts) >= len(before[role])


@MOST
@given(CLOUDS, st.data())
def test_room_and_groups_hold_in_every_part_of_a_plan(cloud: ComputeSnapshot, data: st.DataObject) -> None:
    done = some_of(data, plan(cloud, POLICY))
    there = crowd(cloud, done)
    for op in done:
        host, server = cloud.hosts[op.target], cloud.servers[ServerId(op.subject)]
        guests = there[host.name]
        assert sum(s.memory_mib for s in guests) <= host.memory_mib
        assert server.local_disk_gib == 0 or sum(s.local_disk_gib for s in guests) <= host.disk_gib
        assert sum(s.vcpus for s in guests) <= host.cpus * host.cpu_ratio
        assert server.aggregates <= host.aggregates
        for group in cloud.groups.values():
            if group.policy == "anti-affinity" and server.id in group.members:
                assert sum(s.id in group.members for s in guests) == 1


@MOST
@given(CLOUDS)
def test_only_hosts_that_are_up_and_seen_and_calm_receive(cloud: ComputeSnapshot) -> None:
    made = plan(cloud, POLICY)
    needy = {cloud.servers[id].host for id in starved(cloud)}
    for target in moves_of(made).values():
        guests = [s for s in cloud.servers.values() if s.host == target]
        assert cloud.hosts[target].state == "up"
        assert all(usable(cloud.loads.get(s.id)) for s in guests)
        assert all(cloud.loads[s.id].steal <= POLICY.destination.max_steal for s in guests)
        assert target not in needy
    for host in made.forecast.hosts:
        if host.host in set(moves_of(made).values()):
            assert host.cpu_after <= 1 - POLICY.destination.headroom + 1e-4


@MOST
@given(CLOUDS, st.sets(st.sampled_from(("web", "db", "cache")), max_size=1), st.sampled_from(((), ("az1-h0*",))))
def test_who_may_not_move_does_not(cloud: ComputeSnapshot, roles: set[str], hosts: tuple[str, ...]) -> None:
    policy = replace(POLICY, exclude=Exclude(roles=tuple(roles), hosts=hosts, projects=("mail",)))
    resting = {m.server for m in cloud.past if m.done and (NOON - m.ended).total_seconds() < POLICY.calm.cool_down_s}
    for id, target in moves_of(plan(cloud, policy)).items():
        server = cloud.servers[id]
        assert server.status == "ACTIVE"
        assert not server.pinned_by
        assert server.metadata.get("role") not in roles
        assert server.project != "mail"
        assert not (hosts and (server.host.startswith("az1-h0") or target.startswith("az1-h0")))
        assert usable(cloud.loads.get(id))
        assert id not in {flight.server for flight in cloud.flights}
        assert id not in resting
        assert not any(g.policy == "affinity" and id in g.members and len(g.members) > 1 for g in cloud.groups.values())


@MOST
@given(CLOUDS)
def test_every_starved_server_is_moved_or_told_why_not(cloud: ComputeSnapshot) -> None:
    made = plan(cloud, POLICY)
    moved, told = set(moves_of(made)), {refusal.subject for refusal in made.refusals}
    assert starved(cloud) <= moved | told
    assert not moved & told
    assert all(refusal.why for refusal in made.refusals)


@MOST
@given(contended())
def test_a_plan_never_makes_it_worse(cloud: ComputeSnapshot) -> None:
    """By its own forecast, and by the fluid rule applied to where everyone is in the end."""
    made = plan(cloud, POLICY)
    assert made.forecast.steal_after <= made.forecast.steal_before
    assert made.forecast.starved_after <= made.forecast.starved_before
    assert made.forecast.over_after <= made.forecast.over_before
    end = after_moves(cloud, moves_of(made))
    assert len(starved(end)) == made.forecast.starved_after
    assert not made.operations or made.forecast.steal_after < made.forecast.steal_before


@HALF
@given(contended(), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))
def test_waves_keep_the_budgets(cloud: ComputeSnapshot, total: int, per_host: int, per_role: int) -> None:
    budgets = Budgets(total=total, per_host_in=per_host, per_host_out=per_host, per_zone=2, per_role=per_role)
    made = plan(cloud, replace(POLICY, budgets=budgets))
    for wave in range(1, made.waves + 1):
        moves = [op for op in made.operations if op.wave == wave]
        assert 1 <= len(moves) <= total
        for counted, limit in (
            (Counter(op.source for op in moves), per_host),
            (Counter(op.target for op in moves), per_host),
            (Counter(op.zone for op in moves), 2),
            (Counter(op.role for op in moves if op.role), per_role),
        ):
            assert max(counted.values(), default=0) <= limit


@HALF
@given(contended(), st.integers(0, 3))
def test_a_plan_is_never_longer_than_allowed(cloud: ComputeSnapshot, limit: int) -> None:
    made = plan(cloud, replace(POLICY, budgets=Budgets(per_plan=limit + 1)))
    assert len(made.operations) <= limit + 1


@HALF
@given(CLOUDS, st.randoms(use_true_random=False))
def test_the_order_in_which_hosts_are_listed_does_not_matter(cloud: ComputeSnapshot, chance: Random) -> None:
    names = list(cloud.hosts)
    chance.shuffle(names)
    shuffled = replace(cloud, hosts={name: cloud.hosts[name] for name in names})
    assert plan(shuffled, POLICY) == plan(cloud, POLICY)
