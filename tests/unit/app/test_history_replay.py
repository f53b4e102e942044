"""A day that was simulated, kept and played again: the same servers starve for as long, under any policy."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.history.measured import as_result, findings, measure
from watari.app.history.playing import play
from watari.app.history.recorded import Recorded, open_history
from watari.app.history.recorder import Recorder
from watari.app.loop import balancer
from watari.app.replay import STEP_S, Result, summarise
from watari.app.tally import Score
from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.cloud import SimCloud
from watari.errors import BadInput
from watari.jobs.placement.world import read_loads
from watari.model.compute import ComputeSnapshot, HostName, Load, Server, ServerId
from watari.observe.compute import compute_snapshot
from watari.policy.load import load_policy
from watari.policy.values import Destination, Detect, Policy

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
LATER = START + timedelta(days=400)
HOURS = 14.0  # of the day, with its three peaks
OFF = 0.02  # what a replay of a history may be off by, of what it was when it was lived through with nothing done


@dataclass(slots=True)
class Keeper:
    """Who keeps a history."""

    store: Store
    recorder: Recorder
    policy: Policy = field(default_factory=Policy)

    def see(self, snapshot: ComputeSnapshot) -> None:
        self.recorder.look(snapshot, read_loads(snapshot, self.policy.detect.stale_after_s), self.policy)

    def recorded(self, days: float | None = None) -> Recorded:
        self.recorder.keep(self.policy)
        return open_history(self.store, self.recorder.place.cloud, days, LATER)


@pytest.fixture(scope="module")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Keeper]]:
    with ExitStack() as stack:

        def new() -> Keeper:
            store = Store(str(tmp_path_factory.mktemp("history") / "runs.db"))
            stack.callback(store.close)
            lease = Lease(store)
            lease.take()
            stack.callback(lease.release)
            place = Place(store, lease, "prod")
            assert place.hold() == ""
            return Keeper(store, Recorder(place))

        yield new


@pytest.fixture
def keeper(keepers: Callable[[], Keeper]) -> Keeper:
    return keepers()


@dataclass(frozen=True, slots=True)
class Lived:
    """A day that was lived through under the default policy, and what was kept of it."""

    result: Result
    recorded: Recorded


@pytest.fixture(scope="module")
def lived(keepers: Callable[[], Keeper]) -> Lived:
    keeper, policy = keepers(), Policy()
    spec = account_cloud(40, 500, 3)
    cloud = SimCloud(spec, demand_for(spec, 3, START.hour * 3600), START, step_s=STEP_S)
    runner, score = balancer(cloud, cloud, cloud, policy, []), Score.start(cloud, policy.detect)
    for step in range(int(HOURS * 3600 / STEP_S)):
        if step % 4 == 0:
            keeper.see(compute_snapshot(cloud, cloud, cloud))
            runner.round()
        if runner.executor.runs:
            runner.tick()
        score.add(cloud, STEP_S)
        cloud.advance(STEP_S)
    return Lived(summarise(policy, cloud, runner, score), keeper.recorded())


def near(value: float, expected: float, off: float = OFF) -> bool:
    return abs(value - expected) <= off * expected


def test_nothing_done_starves_for_as_long_as_it_did(lived: Lived) -> None:
    again = play(lived.recorded, Policy())
    assert lived.result.starved_minutes_nothing > 1000
    assert near(again.starved_minutes_nothing, lived.result.starved_minutes_nothing)
    assert near(again.over_steal_minutes_nothing, lived.result.over_steal_minutes_nothing)
    assert near(again.stolen_core_s_nothing, lived.result.stolen_core_s_nothing)
    # The same policy: what it leaves is a few per cent, of which single moves decide.
    assert abs(again.starved_minutes - lived.result.starved_minutes) < OFF * lived.result.starved_minutes_nothing
    assert near(again.moves, lived.result.moves, 0.2)


def test_what_was_measured_is_what_was_lived_through(lived: Lived) -> None:
    measured = measure(lived.recorded, JUDGE)
    result = as_result(measured, lived.result)
    limit = OFF * lived.result.starved_minutes_nothing
    assert abs(result.starved_minutes - lived.result.starved_minutes) < limit
    assert abs(measured.model.starved_minutes - measured.tally.starved_minutes) < limit
    assert near(result.stolen_core_s, lived.result.stolen_core_s, 0.1)
    assert near(result.moves, lived.result.moves, 0.1)
    assert (measured.unknown, measured.came, measured.left) == (0.0, 0, 0)


def test_another_policy_does_in_the_replay_what_it_does_in_the_day(lived: Lived) -> None:
    published = load_policy("published")
    spec = account_cloud(40, 500, 3)
    cloud = SimCloud(spec, demand_for(spec, 3, START.hour * 3600), START, step_s=STEP_S)
    runner, score = balancer(cloud, cloud, cloud, published, []), Score.start(cloud, published.detect)
    for step in range(int(HOURS * 3600 / STEP_S)):
        if step % 4 == 0:
            runner.round()
        if runner.executor.runs:
            runner.tick()
        score.add(cloud, STEP_S)
        cloud.advance(STEP_S)
    there, again = summarise(published, cloud, runner, score), play(lived.recorded, published)
    assert abs(again.starved_minutes - there.starved_minutes) < OFF * lived.result.starved_minutes_nothing
    assert near(again.moves, there.moves, 0.1)


# A small cloud by hand.


def world(minutes: float, loads: dict[str, tuple[float, float, float]], **where: str) -> ComputeSnapshot:
    """Servers of 4 vCPUs on hosts of 4 threads; those without a load are named in `where` alone."""
    at = START + timedelta(minutes=minutes)
    spec = account_cloud(3, 1, 1)
    hosts = {HostName(f"h{k}"): replace(spec.hosts[0], name=HostName(f"h{k}"), cpus=4.0) for k in range(3)}
    servers = {ServerId(id): Server(ServerId(id), id, HostName(host), 4, 4096) for id, host in where.items()}
    return ComputeSnapshot(at, hosts, servers, {ServerId(id): Load(*load, at) for id, load in loads.items()})


HALF = (0.5, 2.0, 4.0)  # two of these on a host: each is given half
FULL = (0.0, 1.0, 4.0)


STILL = Policy(name="still", detect=Detect(steal=0.9, host_over=None))  # moves nobody
TIGHT = Policy(name="tight", destination=Destination(headroom=0.0, caution=0.0))  # fills a host with one server
JUDGE = Detect()


def test_a_gap_is_said_and_not_counted(keeper: Keeper) -> None:
    for minute in (*range(60), *range(180, 240)):
        keeper.see(world(minute, {"a": HALF, "b": HALF}, a="h0", b="h0"))
    recorded = keeper.recorded()
    measured = measure(recorded, JUDGE)
    assert measured.tally.starved_minutes == 2 * 120
    assert measured.tally.longest_minutes == 60
    played = play(recorded, STILL, JUDGE)
    assert played.starved_minutes_nothing == pytest.approx(240, abs=1)
    assert play(recorded, TIGHT).starved_minutes < 40
    assert list(findings(recorded, measured)) == [
        "nobody looked for 2 h in 1 gap, which are not counted; the longest: 2026-01-05 11:00 to 2026-01-05 13:00 UTC"
    ]


def test_servers_come_and_go_and_starve_only_while_they_are_there(keeper: Keeper) -> None:
    for minute in range(120):
        if minute < 60:
            keeper.see(world(minute, {"a": FULL}, a="h0"))
        elif minute < 90:
            keeper.see(world(minute, {"a": HALF, "b": HALF}, a="h0", b="h0"))
        else:
            keeper.see(world(minute, {"b": FULL}, b="h0"))
    recorded = keeper.recorded()
    measured = measure(recorded, JUDGE)
    assert (measured.came, measured.left) == (1, 1)
    assert measured.tally.starved_minutes == measured.model.starved_minutes == 60
    assert play(recorded, STILL, JUDGE).starved_minutes_nothing == pytest.approx(60, abs=1)
    assert "1 server came and 1 left meanwhile: each is played while it was there" in findings(recorded, measured)


def test_who_is_unknown_asks_for_what_it_last_asked_and_is_not_counted(keeper: Keeper) -> None:
    for minute in range(120):
        loads = {"a": HALF, "b": HALF} if minute < 60 else {"a": HALF}
        keeper.see(world(minute, loads, a="h0", b="h0", c="h1"))
    recorded = keeper.recorded()
    frames = list(recorded.frames())
    assert frames[-1].known.tolist() == [True, False, False]
    assert frames[-1].cores.tolist() == [4.0, 4.0, 0.0]
    measured = measure(recorded, JUDGE)
    assert measured.tally.starved_minutes == measured.model.starved_minutes == 120 + 60
    assert measured.never_known == 1
    assert play(recorded, STILL, JUDGE).starved_minutes_nothing == pytest.approx(180, abs=1)
    (said,) = findings(recorded, measured)
    assert said.startswith("50.0 % of all server-slots have no load")
    assert said.endswith("1 never sent one and ask for nothing")


def test_moves_that_somebody_made_are_measured_and_not_played(keeper: Keeper) -> None:
    for minute in range(180):
        back = "h0" if minute < 60 or minute >= 120 else "h1"
        apart = back == "h1"
        keeper.see(world(minute, {"a": FULL if apart else HALF, "b": FULL if apart else HALF}, a="h0", b=back))
    recorded = keeper.recorded()
    measured = measure(recorded, JUDGE)
    assert (measured.moves, measured.memory_gib, measured.went_back) == (2, 8.0, 1)
    assert measured.tally.starved_minutes == 240
    assert play(recorded, STILL, JUDGE).starved_minutes_nothing == pytest.approx(360, abs=1)


def test_whose_host_is_gone_is_where_it_really_went(keeper: Keeper) -> None:
    for minute in range(120):
        seen = world(minute, {"a": FULL, "b": FULL}, a="h0", b="h0" if minute < 60 else "h1")
        if minute < 60:
            seen = replace(seen, loads={id: replace(load, steal=0.5) for id, load in seen.loads.items()})
        else:
            seen = replace(seen, hosts={name: host for name, host in seen.hosts.items() if name != "h0"})
            seen = replace(seen, servers={id: replace(s, host=HostName("h1")) for id, s in seen.servers.items()})
        keeper.see(seen)
    recorded = keeper.recorded()
    played = play(recorded, STILL, JUDGE)
    assert played.starved_minutes_nothing == pytest.approx(240, abs=1)
    assert play(recorded, TIGHT).starved_minutes < 60


def test_a_resized_server_is_another_one_from_then_on(keeper: Keeper) -> None:
    for minute in range(120):
        seen = world(minute, {"a": FULL}, a="h0")
        if minute >= 60:
            seen = replace(seen, servers={id: replace(s, vcpus=8) for id, s in seen.servers.items()})
        keeper.see(seen)
    recorded = keeper.recorded()
    assert [(s.id, s.vcpus) for s in recorded.spec.servers] == [("a", 4), ("a#2", 8)]
    assert measure(recorded, JUDGE).left == 1


def test_more_load_can_be_asked_about(keeper: Keeper) -> None:
    half = (0.0, 0.5, 2.0)
    for minute in range(120):
        keeper.see(world(minute, {"a": half, "b": half}, a="h0", b="h0"))
    recorded = keeper.recorded()
    assert play(recorded, STILL, JUDGE).starved_minutes_nothing == 0
    assert play(recorded, STILL, JUDGE, scale=2.0).starved_minutes_nothing > 200


def test_the_last_days_are_played_and_what_is_dated_later_is_not(keeper: Keeper) -> None:
    for minute in range(0, 12 * 60, 5):
        keeper.see(world(minute, {"a": FULL}, a="h0"))
    keeper.see(world(800 * 24 * 60, {"a": FULL}, a="h0"))  # a clock that was wrong for a look
    keeper.see(world(12 * 60, {"a": FULL}, a="h0"))
    recorded = keeper.recorded()
    assert len(recorded.begins) == 12 * 12 + 1 - 2 * 24, "two windows is what a wrong date costs"
    now = START + timedelta(hours=12, minutes=1)
    recorded = open_history(keeper.store, "prod", 0.25, now)
    assert len(recorded.begins) == 6 * 12
    assert recorded.begins[-1] == int(now.timestamp()) - 60


def test_a_history_that_is_none_or_too_short_is_told(keeper: Keeper) -> None:
    with pytest.raises(BadInput, match=r"has no history of prod; `watari serve` keeps it \(serve.history\)"):
        keeper.recorded()
    for minute in range(0, 40, 5):
        keeper.see(world(minute, {"a": FULL}, a="h0"))
    with pytest.raises(BadInput, match="the history of prod covers 40 min; a replay needs at least 1 h"):
        keeper.recorded()
    with pytest.raises(BadInput, match="has no history of other; there is one of prod"):
        open_history(keeper.store, "other", None, LATER)


def test_a_piece_that_cannot_be_read_is_a_gap(keeper: Keeper) -> None:
    import sqlalchemy as sa

    from watari.act.durable.tables import history

    for minute in range(0, 8 * 60, 5):
        keeper.see(world(minute, {"a": FULL}, a="h0"))
    keeper.recorder.keep(keeper.policy)
    with keeper.store.writing() as c:
        second = c.execute(sa.select(history.c.begin).order_by(history.c.begin)).scalars().all()[1]
        c.execute(history.update().where(history.c.begin == second).values(body=b"rubbish"))
    recorded = keeper.recorded()
    assert recorded.broken == 1
    assert len(recorded.begins) == 6 * 12
    said = list(findings(recorded, measure(recorded, JUDGE)))
    assert said[1] == "1 piece of the history cannot be read: as if nobody had looked"
    assert np.isfinite(play(recorded, Policy()).starved_minutes)
