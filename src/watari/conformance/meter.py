"""What every meter that may be one of several does. Subclass `MeterConformance` and give it a `world`:

class TestMine(MeterConformance):
    @pytest.fixture
    def world(self):
        yield MeterWorld(gauge, clock, busy=…, steal=…, idle=…, silent=…)
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from watari.errors import Transient
from watari.model.compute import ServerId
from watari.model.readings import Reading, Rule, Told
from watari.observe.meters import Meters
from watari.ports import Clock, Gauge

GONE = ServerId("no-such-server")
NEAR = 0.02  # how far steal may be off what the world says: windows have edges


@dataclass
class MeterWorld:
    """A meter that has seen enough of its servers, and parts for the tests. None: it cannot tell, or cannot be cut."""

    gauge: Gauge
    clock: Clock
    busy: ServerId  # runs and suffers `steal`, a share 0-1 of one vCPU's time
    steal: float
    idle: ServerId  # runs and asks for nothing: its steal is zero, and known
    silent: ServerId  # sends no data, or runs where nothing is counted
    load: float | None = None  # load average per vCPU of `busy`; None: the meter estimates it
    demand: float | None = None  # cores that `busy` asks for
    cut: Callable[[], None] | None = None  # from now on nothing answers …
    mend: Callable[[], None] = lambda: None  # … until this

    def read(self, *servers: ServerId) -> Told:
        return self.gauge.read(servers)

    def reading(self, server: ServerId) -> Reading:
        told = self.read(server)
        assert server in told.readings, f"{server} is not measured: {told.missing.get(server)}"
        return told.readings[server]


class MeterConformance:
    """The suite."""

    def test_steal_is_a_share_of_one_vcpus_time(self, world: MeterWorld) -> None:
        assert world.reading(world.busy).steal == pytest.approx(world.steal, abs=NEAR)

    def test_load_and_demand_are_per_vcpu_and_in_cores(self, world: MeterWorld) -> None:
        reading = world.reading(world.busy)
        assert reading.estimated == (world.load is None)
        if world.load is not None:
            assert reading.load_per_vcpu == pytest.approx(world.load, abs=NEAR)
        if world.demand is not None:
            assert reading.cpu_demand == pytest.approx(world.demand, abs=0.1)

    def test_a_zero_that_was_measured_is_one(self, world: MeterWorld) -> None:
        assert world.reading(world.idle).steal == pytest.approx(0.0, abs=NEAR)

    def test_a_server_without_data_is_missing_with_a_reason_never_zero(self, world: MeterWorld) -> None:
        told = world.read(world.busy, world.silent, GONE)
        assert set(told.readings) == {world.busy}
        assert told.missing[world.silent]
        assert told.missing[GONE]
        assert told.missing.keys() <= {world.busy, world.silent, GONE}

    def test_only_what_was_asked_for_is_answered(self, world: MeterWorld) -> None:
        assert world.read() == Told({})
        told = world.read(world.idle)
        assert set(told.readings) == {world.idle}

    def test_values_are_never_from_the_future_and_have_a_time(self, world: MeterWorld) -> None:
        told = world.read(world.busy, world.idle)
        for reading in told.readings.values():
            assert reading.at.tzinfo is not None
            assert reading.at <= world.clock.now()
            assert world.clock.now() - reading.at < timedelta(seconds=world.gauge.settle_s + 60)

    def test_an_answer_that_does_not_come_is_transient_and_comes_again(self, world: MeterWorld) -> None:
        if world.cut is None:
            pytest.skip("this world cannot cut its meter off")
        world.read(world.busy)
        world.cut()
        with pytest.raises(Transient):
            world.read(world.busy)
        world.mend()
        assert world.reading(world.busy).steal == pytest.approx(world.steal, abs=NEAR)

    def test_a_meter_of_this_one_alone_keeps_the_contract_of_the_port(self, world: MeterWorld) -> None:
        meters = Meters([world.gauge], Rule(), world.clock)
        asked = [world.busy, world.silent, GONE]
        loads = meters.loads(asked)
        assert set(loads) == {world.busy}
        load = loads[world.busy]
        assert 0 <= load.steal <= 1
        assert load.load_per_vcpu >= 0
        assert load.cpu_demand >= 0
        assert load.at <= world.clock.now()
        assert load.source.startswith(f"{world.gauge.name}: ")
        assert any(finding.code == "meter-missing" for finding in meters.findings)
        assert meters.loads([]) == {}

    def test_its_name_and_how_long_it_settles(self, world: MeterWorld) -> None:
        assert world.gauge.name
        assert world.gauge.settle_s > 0
