"""Whatever the cloud looks like: a drain decides about every server, keeps all rules in every part, and is resumed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import NOON, contended, snapshots
from watari.jobs.drain import DrainRequest, plan
from watari.jobs.placement.world import build_world
from watari.model.compute import ComputeSnapshot, HostName, PastMove, ServerId
from watari.plan.codec import dumps, loads
from watari.plan.plan import Operation, Plan
from watari.plan.render import explain, render, render_table
from watari.plan.steps import ColdMigrate, DisableHost, EnableHost, LiveMigrate
from watari.policy.values import Budgets, Drain, Policy

POLICY = Policy()
LENIENT = Policy(drain=Drain(pinned="cold", allow_steal=True))
STERN = Policy(drain=Drain(stopped="leave", crowd_roles=False))
POLICIES = st.sampled_from((POLICY, LENIENT, STERN))
CLOUDS = snapshots() | contended()
MOST = settings(max_examples=100)
HALF = settings(max_examples=50)


@st.composite
def drains(draw: st.DrawFn) -> tuple[ComputeSnapshot, DrainRequest]:
    """A cloud and one to three of its hosts."""
    cloud = draw(CLOUDS)
    hosts = draw(st.lists(st.sampled_from(sorted(cloud.hosts)), unique=True, min_size=1, max_size=3))
    return cloud, DrainRequest(tuple(hosts), draw(st.sampled_from(("", "firmware"))), draw(st.booleans()))


def moves_of(made: Plan) -> list[Operation]:
    return [op for op in made.operations if op.move]


def drained(made: Plan) -> list[HostName]:
    return [step.host for op in made.operations for step in op.steps if isinstance(step, DisableHost)]


def some_of(data: st.DataObject, made: Plan) -> list[Operation]:
    """Any part of the plan, in any order."""
    done = [op for op in moves_of(made) if data.draw(st.booleans(), label=f"done: {op.name}")]
    return data.draw(st.permutations(done), label="in this order")


def after(cloud: ComputeSnapshot, done: Iterable[Operation]) -> ComputeSnapshot:
    """The cloud right after these moves, which stand in its record; loads are means over the time before."""
    moves = [PastMove(ServerId(op.subject), HostName(op.source), HostName(op.target), NOON) for op in done]
    at = {move.server: move.target for move in moves}
    servers = {id: replace(s, host=at.get(id, s.host)) for id, s in cloud.servers.items()}
    return replace(cloud, servers=servers, past=(*cloud.past, *moves))


@MOST
@given(drains(), POLICIES)
def test_every_server_is_moved_or_refused_with_a_reason(
    drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy
) -> None:
    cloud, request = drain
    made = plan(cloud, policy, request)
    hosts = drained(made)
    barred = {f.subject for f in made.findings if f.severity == "error"}
    assert {*hosts, *barred} == set(request.hosts)
    assert all(cloud.hosts[HostName(name)].state == "down" for name in barred)
    told = Counter([op.subject for op in moves_of(made)] + [refusal.subject for refusal in made.refusals])
    there = {id for id, server in cloud.servers.items() if server.host in hosts}
    coming = {flight.server for flight in cloud.flights if flight.target in hosts}
    assert told == Counter(there | coming)
    assert all(refusal.why and refusal.help for refusal in made.refusals)


@MOST
@given(drains(), POLICIES, st.data())
def test_any_part_in_any_order_keeps_every_rule(
    drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy, data: st.DataObject
) -> None:
    cloud, request = drain
    made = plan(cloud, policy, request)
    done: list[Operation] = []
    for op in some_of(data, made):
        source, target = cloud.hosts[HostName(op.source)], cloud.hosts[HostName(op.target)]
        server = cloud.servers[ServerId(op.subject)]
        assert target.name not in request.hosts
        assert (target.zone, target.state) == (source.zone, "up")
        assert server.aggregates <= target.aggregates
        now = after(cloud, done)
        there = [s for s in now.servers.values() if s.host == target.name]
        there += [cloud.servers[f.server] for f in cloud.flights if f.target == target.name]
        assert sum(s.memory_mib for s in there) + server.memory_mib <= target.memory_mib
        assert sum(s.local_disk_gib for s in there) + server.local_disk_gib <= target.disk_gib
        assert sum(s.vcpus for s in there) + server.vcpus <= target.cpus * target.cpu_ratio
        names = {s.id for s in there}
        for group in cloud.groups.values():
            if server.id in group.members:
                assert group.policy != "anti-affinity" or not names & group.members
                assert group.policy != "affinity" or group.members == {server.id}
        done.append(op)


@HALF
@given(drains(), st.sampled_from((POLICY, STERN)))
def test_no_destination_is_asked_for_more_than_it_has(
    drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy
) -> None:
    """Whoever sends no data counts with all its vCPUs, at the destination too."""
    cloud, request = drain
    made = plan(cloud, policy, request)
    world = build_world(cloud, policy)
    demand = dict(zip(world.readings.ids, world.readings.demand.tolist(), strict=True))
    demand |= {s.id: float(s.vcpus) for s, known in zip(world.servers, world.readings.known, strict=True) if not known}
    at = {id: server.host for id, server in cloud.servers.items()} | {f.server: f.target for f in cloud.flights}
    at |= {ServerId(op.subject): HostName(op.target) for op in moves_of(made)}
    for host, cpus in zip(world.hosts, world.cpus.tolist(), strict=True):
        if any(op.target == host.name for op in moves_of(made)):
            asked = sum(demand[id] for id, name in at.items() if name == host.name)
            assert asked <= (1 - policy.destination.headroom) * cpus * (1 + 1e-6)


@MOST
@given(drains(), st.sampled_from((POLICY, LENIENT)), st.data())
def test_planning_again_after_any_part_gives_the_rest(
    drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy, data: st.DataObject
) -> None:
    """What has left stays away, what was left over is decided about again, and nothing that could go is lost."""
    cloud, request = drain
    made = plan(cloud, policy, request)
    done = some_of(data, made)
    again = plan(after(cloud, done), policy, request)
    assert drained(again) == drained(made)
    left = {op.subject for op in moves_of(made)} - {op.subject for op in done}
    refused = {refusal.subject for refusal in made.refusals}
    assert {op.subject for op in moves_of(again)} >= left
    assert {op.subject for op in moves_of(again)} <= left | refused


@MOST
@given(drains(), st.sampled_from((POLICY, Policy(budgets=Budgets(per_host_out=3, link_mib_s=None, per_zone=4)))))
def test_waves_keep_the_budgets(drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy) -> None:
    cloud, request = drain
    made, budgets = plan(cloud, policy, request), policy.budgets
    for wave in {op.wave for op in moves_of(made)}:
        moves = [op for op in moves_of(made) if op.wave == wave]
        assert len(moves) <= budgets.total
        assert max(Counter(op.source for op in moves).values()) <= budgets.per_host_out
        assert max(Counter(op.target for op in moves).values()) <= budgets.per_host_in
        assert max(Counter(op.zone for op in moves).values()) <= budgets.per_zone
        assert max(Counter(op.role for op in moves if op.role).values(), default=0) <= budgets.per_role


@MOST
@given(drains(), POLICIES)
def test_disabled_first_enabled_last(drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy) -> None:
    cloud, request = drain
    made = plan(cloud, policy, request)
    of = {op.id: op for op in made.operations}
    assert [op.id for op in made.operations if op.wave == 1] == [str(n + 1) for n in range(len(drained(made)))]
    for op in made.operations:
        match op.steps:
            case (DisableHost(),):
                assert op.waits_for == ()
            case (EnableHost(host, reason),):
                leavers = {move.id for move in moves_of(made) if move.source == host}
                assert leavers < set(op.waits_for)
                assert reason in {
                    step.reason for o in made.operations for step in o.steps if isinstance(step, DisableHost)
                }
            case (LiveMigrate(server) | ColdMigrate(server),):
                (first,) = op.waits_for
                assert isinstance(disabling := of[first].steps[0], DisableHost)
                assert disabling.host == op.source
                running = cloud.servers[server].status == "ACTIVE"
                assert running or isinstance(op.steps[0], ColdMigrate)
                assert op.cost.seconds > 0
                assert op.cost.downtime_s in ((op.cost.seconds, 0.5) if running else (0.0,))
        assert all(of[id].wave < op.wave for id in op.waits_for)


@HALF
@given(drains(), POLICIES)
def test_it_can_be_kept_read_and_explained(drain: tuple[ComputeSnapshot, DrainRequest], policy: Policy) -> None:
    cloud, request = drain
    made = plan(cloud, policy, request)
    assert loads(dumps(made)) == made
    assert made.made_at == NOON
    assert (made.expires_at - made.made_at).total_seconds() >= policy.expires_s
    render(made), render(made, verbose=True)
    assert len(render_table(made)[1]) == len(made.operations)
    for name in (*(op.subject for op in made.operations), *(refusal.subject for refusal in made.refusals)):
        assert explain(made, name)


@HALF
@given(drains(), st.randoms(use_true_random=False))
def test_the_order_in_which_hosts_are_listed_does_not_matter(
    drain: tuple[ComputeSnapshot, DrainRequest], chance: Random
) -> None:
    cloud, request = drain
    names, wanted = list(cloud.hosts), list(request.hosts)
    chance.shuffle(names)
    chance.shuffle(wanted)
    shuffled = replace(cloud, hosts={name: cloud.hosts[name] for name in names})
    assert plan(shuffled, POLICY, replace(request, hosts=tuple(wanted))) == plan(cloud, POLICY, request)
