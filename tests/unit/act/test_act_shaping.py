"""A live move under way: its rate follows windows and neighbours, and it is hastened when it takes too long."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from stage.api import Api
from stage.cast import Cast
from stage.directives import DAY
from watari.act.guard import Guard, UnderWay
from watari.act.handlers import handlers
from watari.act.journal import Entry, OperationRecord
from watari.act.virtual import VirtualExecutor
from watari.drivers.sim.cloud import SimCloud
from watari.errors import Refused
from watari.jobs.balance import plan
from watari.model.compute import HostName
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Operation
from watari.plan.steps import LiveMigrate
from watari.policy.values import Budgets, Peak, Policy, Window
from watari.ports import MigrationId, Style

H1, H2, H3, H4 = (HostName(f"h{n}") for n in (1, 2, 3, 4))


class Telling(SimCloud):
    """A simulated cloud that keeps what it was told about single moves, and refuses to hasten the first times."""

    limits_moves = True

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast.spec(), cast.scripted(), DAY)
        self.limits: list[float] = []
        self.hastened: list[float] = []
        self.refusals = 0

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        self.limits.append(mib_s)
        super().limit_migration(id, mib_s)

    def force_migration(self, id: MigrationId) -> None:
        self.hastened.append((self.now() - DAY).total_seconds())
        if len(self.hastened) <= self.refusals:
            raise Refused("it is still being prepared")
        super().force_migration(id)


class Bench:
    """web-1 is moved off h1, 64 GiB at 100 MiB/s."""

    def __init__(self, budgets: Budgets, style: Style | None = None) -> None:
        cast = Cast()
        cast.add_hosts("az1", ["h1", "h2", "h3"], {})
        cast.add_servers("h1", "web-1", "8", "64G", {"demand": "7"})
        cast.add_servers("h1", "web-2..4", "8", "96G", {"demand": "7"})
        self.cloud = Telling(cast)
        self.api = Api(self.cloud, dict(cast.hosts))
        self.policy = replace(Policy(), budgets=budgets)
        self.journal: list[Entry] = []
        guard = Guard(self.policy, self.api.claims)
        self.executor = VirtualExecutor(handlers(self.cloud, style=style), guard, self.cloud, self.journal.append)
        snapshot = compute_snapshot(self.cloud, self.cloud, self.cloud)
        self.run = self.executor.submit(plan(snapshot, self.policy))

    @property
    def record(self) -> OperationRecord:
        return self.run.operations[0]

    @property
    def rate(self) -> float | None:
        moving = self.record.moving
        assert moving is not None
        assert isinstance(moving.step, LiveMigrate)
        return moving.step.bandwidth_mib_s

    def live(self, seconds: float) -> None:
        end = self.cloud.now() + timedelta(seconds=seconds)
        while self.cloud.now() < end:
            self.executor.tick()
            self.cloud.advance(1.0)


def peak_in(seconds: float, lasts_s: float, bandwidth: float) -> Peak:
    begin = DAY + timedelta(seconds=seconds)
    end = begin + timedelta(seconds=lasts_s)
    return Peak(Window(begin.time(), end.time()), moves=4, bandwidth=bandwidth)


def test_a_peak_slows_what_is_under_way_and_its_end_quickens_it_again() -> None:
    bench = Bench(Budgets(link_mib_s=100.0, peaks=(peak_in(120, 120, 0.25),)))
    bench.live(60)
    assert bench.rate == 100.0
    bench.live(90)
    assert (bench.rate, bench.cloud.limits) == (25.0, [25.0])
    bench.live(120)
    assert (bench.rate, bench.cloud.limits) == (100.0, [25.0, 100.0])


def test_what_is_slowed_down_is_never_stopped() -> None:
    bench = Bench(Budgets(link_mib_s=100.0, peaks=(peak_in(60, 60, 0.0),)))
    bench.live(90)
    assert bench.rate == 1.0
    assert bench.record.state == "running"


def test_a_move_that_takes_too_long_is_hastened_once() -> None:
    bench = Bench(Budgets(link_mib_s=100.0), Style(post_copy_after_s=120.0))
    bench.live(300)
    assert len(bench.cloud.hastened) == 1
    assert 120 < bench.cloud.hastened[0] < 130


def test_what_cannot_be_hastened_yet_is_asked_again_later() -> None:
    bench = Bench(Budgets(link_mib_s=100.0), Style(post_copy_after_s=120.0))
    bench.cloud.refusals = 2
    bench.live(300)
    first, second, third = bench.cloud.hastened
    assert second - first >= 30
    assert third - second >= 30


def shared(budgets: Budgets, granted: float, *others: UnderWay, cap_source: HostName = H1) -> float:
    from unit.act.test_act_guard import HOSTS, NOON, move

    op: Operation = move(cap_source)
    return Guard(Policy(budgets=budgets), HOSTS).share(op, granted, others, NOON)


def other(source: HostName, target: HostName, rate: float) -> UnderWay:
    return UnderWay(source, target, "az1", "db", rate)


@pytest.mark.parametrize(
    ("granted", "others", "share"),
    [
        (400.0, [], 800.0),  # alone: all of it
        (800.0, [other(H1, H3, 400.0)], 400.0),  # half each, and the other has its half
        (400.0, [other(H1, H3, 400.0)], 400.0),
        (300.0, [other(H1, H3, 100.0)], 400.0),  # no more than half: the other will ask for its half
        (800.0, [other(H3, H4, 800.0)], 800.0),  # other links
        (800.0, [other(H3, H2, 600.0)], 400.0),  # the target's link counts, too
    ],
)
def test_a_share_is_never_more_than_what_is_left_and_never_less_than_fair(
    granted: float, others: list[UnderWay], share: float
) -> None:
    assert shared(Budgets(link_mib_s=800.0), granted, *others) == pytest.approx(share)


def test_the_budget_of_all_links_is_shared_as_well() -> None:
    assert shared(Budgets(link_mib_s=800.0, total_mib_s=500.0), 500.0, other(H3, H4, 250.0)) == pytest.approx(250.0)


def test_a_peak_counts() -> None:
    peak = Peak(Window(time(11, 0), time(13, 0)), moves=4, bandwidth=0.5)
    assert shared(Budgets(link_mib_s=800.0, peaks=(peak,)), 800.0) == pytest.approx(400.0)
