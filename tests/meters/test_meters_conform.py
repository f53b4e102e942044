"""The conformance suite, against every meter that comes with Watari.

Prometheus is the real program, told a history; libvirt's hosts and Mackerel are small ones that answer as their
documentation says. With WATARI_TEST_LIBVIRT set to an address also a real libvirt: see test_meters_real.py.
"""

from collections.abc import Iterator

import pytest

from meters import mackerel
from meters.hosts import PAUSED, CountingHost, Guest, gauge_of
from meters.mackerel import Agent
from times import NOON, SetClock
from unit.prometheus.live_prometheus import History, guest, prometheus, vm
from watari.conformance.meter import MeterConformance, MeterWorld
from watari.drivers.gauges import Surroundings, open_gauges
from watari.drivers.prometheus.api import Answer, PrometheusApi
from watari.model.compute import HostName, Server, ServerId
from watari.ports import Gauge

BUSY, IDLE, SILENT = map(ServerId, ("id-busy", "id-idle", "id-silent"))


def servers() -> dict[ServerId, Server]:
    named = ((BUSY, "Web_1"), (IDLE, "db-1"), (SILENT, "mute-1"))
    return {id: Server(id, name, HostName("h1"), 2, 1024) for id, name in named}


def opened(kind: str, clock: SetClock, **section: object) -> Gauge:
    (gauge,) = open_gauges([{kind: section}], Surroundings(clock, "clouds.yaml: here.watari", servers))
    return gauge


class TestMackerel(MeterConformance):
    @pytest.fixture
    def world(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[MeterWorld]:
        monkeypatch.setenv("MACKEREL_APIKEY", mackerel.KEY)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with mackerel.running() as made:
            made.add(Agent("web-1.novalocal", cpus=4, steal=0.25, busy=0.5, load=6.0))
            made.add(Agent("db-1", cpus=2))
            made.add(Agent("mute-1", only=frozenset()))

            def cut() -> None:
                assert made.served is not None
                made.served.fate = 429

            def mend() -> None:
                assert made.served is not None
                made.served.fate = 0

            yield MeterWorld(
                opened("mackerel", made.clock, url=made.url), made.clock, BUSY, 0.25, IDLE, SILENT, load=1.5,
                demand=3.0, cut=cut, mend=mend,
            )  # fmt: skip


class TestLibvirt(MeterConformance):
    @pytest.fixture
    def world(self) -> MeterWorld:
        clock = SetClock()
        busy, idle = Guest(BUSY, steal=0.3, busy=0.6), Guest(IDLE)
        host = CountingHost("h1", clock, [busy, idle, Guest(SILENT, state=PAUSED)])

        def cut() -> None:
            host.down = True

        def mend() -> None:
            host.down = False

        gauge = gauge_of({"h1": host}, servers, clock)
        return MeterWorld(gauge, clock, BUSY, 0.3, IDLE, SILENT, demand=1.8, cut=cut, mend=mend)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    history = History(NOON.timestamp())
    vm(history, BUSY, "h1", used=1.0, waited=0.4, vcpus=2)
    vm(history, IDLE, "h1", used=0.0, waited=0.0, vcpus=2)
    guest(history, BUSY, used=1.0, stolen=0.3, cpus=2, load=3.0)
    guest(history, IDLE, used=0.0, stolen=0.0, cpus=2, load=0.0)
    with prometheus(tmp_path_factory.mktemp("prometheus"), history.series) as address:
        yield address


class OfPrometheus(MeterConformance):
    """What is asked for now is evaluated at the end of the history."""

    @pytest.fixture(autouse=True)
    def _then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        ask = PrometheusApi.ask

        def ask_then(api: PrometheusApi, promql: str, at_s: float | None = None) -> Answer:
            return ask(api, promql, NOON.timestamp() if at_s is None else at_s)

        monkeypatch.setattr(PrometheusApi, "ask", ask_then)


class TestPrometheusHosts(OfPrometheus):
    @pytest.fixture
    def world(self, url: str) -> MeterWorld:
        clock = SetClock()
        gauge = opened("prometheus", clock, url=url, side="host")
        return MeterWorld(gauge, clock, BUSY, 0.2, IDLE, SILENT, demand=1.4)


class TestPrometheusGuests(OfPrometheus):
    @pytest.fixture
    def world(self, url: str) -> MeterWorld:
        clock = SetClock()
        gauge = opened("prometheus", clock, url=url, preset="guest")
        return MeterWorld(gauge, clock, BUSY, 0.15, IDLE, SILENT, load=1.5, demand=1.3)
