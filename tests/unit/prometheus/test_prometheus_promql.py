"""The default PromQL, judged by a real Prometheus against counters whose rates are known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from unit.prometheus.live_prometheus import ALL, History, Series, Span, guest, prometheus, vm
from watari.drivers.prometheus import PrometheusMeter, Report, read_settings
from watari.drivers.prometheus.api import Answer, PrometheusApi
from watari.errors import BadInput
from watari.model.compute import Load, ServerId

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AHEAD_S = 3600  # Prometheus' clock is an hour ahead of ours, so every age has to be by its own
END_S = NOW.timestamp() + AHEAD_S
LATE_S = 7  # the newest scrape is so old when the meter asks


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing is to be asked twice here")


def plain_vm(history: History, uuid: str, host: str, used: float, waited: float, vcpus: int, span: Span = ALL) -> None:
    """A domain as the common exporters tell it: its id stands in one metric alone."""
    labels = {"instance": f"{host}:9177", "job": "plain", "domain": "instance-0000002a"}
    history.counter("libvirt_domain_info_cpu_time_seconds_total", used, labels, span)
    history.gauge("libvirt_domain_info_virtual_cpus", vcpus, labels, span)
    history.gauge("libvirt_domain_info_meta", 1, labels | {"plain_uuid": uuid, "instance_name": "first name"}, span)
    history.gauge("libvirt_domain_openstack_info", 1, labels | {"instance_id": uuid}, span)
    for n in range(vcpus):
        history.counter("libvirt_domain_vcpu_delay_seconds_total", waited / vcpus, labels | {"vcpu": str(n)}, span)


def the_cloud() -> History:
    history = History(END_S)
    vm(history, "busy", "h1", used=3.0, waited=0.8, vcpus=4)
    vm(history, "idle", "h1", used=0.0, waited=0.0, vcpus=2)
    vm(history, "told", "h1", used=1.5, waited=0.5, vcpus=2)
    guest(history, "told", used=9.9, stolen=0.02, cpus=2, load=3.0)
    vm(history, "booted", "h1", used=1.0, waited=0.4, vcpus=2, span=Span(begin=-75))
    vm(history, "just", "h1", used=1.0, waited=0.4, vcpus=2, span=Span(begin=0))
    vm(history, "off", "h2", used=1.0, waited=0.4, vcpus=2, span=Span(end=-300))
    vm(history, "scrape-missed", "h2", used=1.0, waited=0.4, vcpus=2, span=Span(end=-15))
    vm(history, "quiet", "h2", used=1.0, waited=0.4, vcpus=2, span=Span(end=-75, marked=False))
    vm(history, "late", "h2", used=1.0, waited=0.4, vcpus=2, span=Span(end=-45, marked=False))
    # In flight: the source runs it, the target holds it paused.
    vm(history, "flying", "h1", used=2.0, waited=1.0, vcpus=4)
    vm(history, "flying", "h2", used=0.1, waited=0.0, vcpus=4, span=Span(begin=-60))
    vm(history, "landed", "h1", used=2.0, waited=1.0, vcpus=4, span=Span(end=-60))
    vm(history, "landed", "h2", used=0.9, waited=0.1, vcpus=4, span=Span(begin=-600))
    vm(history, "settled", "h1", used=2.0, waited=1.0, vcpus=4, span=Span(end=-150))
    vm(history, "settled", "h2", used=0.9, waited=0.1, vcpus=4, span=Span(begin=-600))
    restarted(history)
    guest(history, "inside", used=1.0, stolen=0.5, cpus=2, load=5.0)
    no_delay(history, "old-libvirt")
    no_delay(history, "helped")
    guest(history, "helped", used=1.2, stolen=0.2, cpus=2, load=1.0, span=Span(begin=-908, end=-8, marked=False))
    odd(history)
    plain_vm(history, "first", "p1", used=1.0, waited=0.2, vcpus=2)
    plain_vm(history, "second", "p2", used=2.0, waited=0.6, vcpus=3)  # another cell, the same domain name
    plain_vm(history, "third", "p3", used=3.0, waited=0.4, vcpus=4, span=Span(end=-60))
    plain_vm(history, "third", "p4", used=0.1, waited=0.0, vcpus=4, span=Span(begin=-300))
    libvirtd(history, "by-libvirtd")
    return history


def restarted(history: History) -> None:
    """A server whose counters began anew: it was stopped and started on its host."""
    labels = {"instance": "h1:9177", "uuid": "restarted"}
    values = [5000.0 + 15 * n if n < 57 else 15.0 * (n - 56) for n in range(61)]
    samples = list(zip(history.times(), values, strict=True))
    history.series.append(Series({"__name__": "libvirt_domain_info_cpu_time_seconds_total", **labels}, samples))
    history.counter("libvirt_domain_vcpu_delay_seconds_total", 0.2, labels | {"vcpu": "0"})
    history.gauge("libvirt_domain_info_virtual_cpus", 1, labels)


def no_delay(history: History, uuid: str) -> None:
    labels = {"instance": "h3:9177", "uuid": uuid}
    history.counter("libvirt_domain_info_cpu_time_seconds_total", 1.0, labels)
    history.gauge("libvirt_domain_info_virtual_cpus", 2, labels)


def odd(history: History) -> None:
    labels = {"instance": "h3:9177", "uuid": "odd"}
    history.counter("libvirt_domain_info_cpu_time_seconds_total", 1.0, labels)
    history.gauge("libvirt_domain_info_virtual_cpus", float("nan"), labels)
    history.counter("libvirt_domain_vcpu_delay_seconds_total", 0.2, labels | {"vcpu": "0"})


def libvirtd(history: History, uuid: str) -> None:
    labels = {"instance": "v1:9474", "uuid": uuid}
    history.counter("libvirtd_domain_cpu_time", 1.5e9, labels)
    for n in range(2):
        history.counter("libvirtd_domain_vcpu_time", 0.7e9, labels | {"vcpu": str(n)})
    guest(history, uuid, used=1.4, stolen=0.1, cpus=2, load=4.0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), the_cloud().series) as address:
        yield address


@pytest.fixture(autouse=True)
def _then(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for now is evaluated at the end of the history."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ask = PrometheusApi.ask

    def ask_then(self: PrometheusApi, promql: str, at_s: float | None = None) -> Answer:
        return ask(self, promql, END_S + LATE_S if at_s is None else at_s)

    monkeypatch.setattr(PrometheusApi, "ask", ask_then)


def measure(url: str, *servers: str, **settings: object) -> tuple[dict[str, Load], Report]:
    meter = PrometheusMeter(read_settings({"url": url, **settings}), FixedClock())
    loads = meter.loads([ServerId(server) for server in servers])
    assert meter.last_report is not None
    return {str(server): load for server, load in loads.items()}, meter.last_report


def shown(load: Load) -> tuple[float, float, float, float, str]:
    """Steal, load per vCPU, cores, age in seconds, source."""
    age_s = (NOW - load.at) / timedelta(seconds=1)
    return round(load.steal, 4), round(load.load_per_vcpu, 4), round(load.cpu_demand, 4), age_s, load.source


HOST = "prometheus: host steal, load estimated from demand"


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("busy", (0.2, 1.0, 3.8, 7, HOST)),
        ("idle", (0.0, 0.0, 0.0, 7, HOST)),
        ("told", (0.25, 1.5, 2.0, 7, "prometheus: host steal, guest load")),
        ("flying", (0.25, 0.75, 3.0, 7, HOST)),
        ("settled", (0.025, 0.25, 1.0, 7, HOST)),
        ("inside", (0.25, 2.5, 1.5, 7, "prometheus: guest steal, guest load")),
        ("helped", (0.1, 0.5, 1.2, 15, "prometheus: guest steal, host demand, guest load")),
    ],
)
def test_a_load_is_what_the_counters_say(
    url: str, server: str, expected: tuple[float, float, float, float, str]
) -> None:
    loads, _ = measure(url, server)
    assert shown(loads[server]) == pytest.approx(expected)


def test_a_counter_that_begins_anew_is_not_negative_and_not_huge(url: str) -> None:
    loads, _ = measure(url, "restarted")
    assert loads["restarted"].cpu_demand == pytest.approx(1.2, rel=0.02)


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("booted", "young"),
        ("just", "young"),
        ("landed", "young"),
        ("scrape-missed", "young"),
        ("off", "stopped"),
        ("quiet", "young"),
        ("late", "young"),
        ("old-libvirt", "no_steal"),
        ("odd", "no_cpu"),
        ("never-heard-of", "unseen"),
    ],
)
def test_what_is_not_known_of_a_whole_window_is_absent_with_its_reason(url: str, server: str, why: str) -> None:
    loads, report = measure(url, "busy", server)
    assert list(loads) == ["busy"]
    assert report.missing == {server: why}


def test_a_reading_takes_at_most_six_queries(url: str) -> None:
    _, report = measure(url, "busy", "told", "inside")
    assert report.queries == 5
    _, report = measure(url, "busy", "never-heard-of", "off")
    assert report.queries == 6


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "kolla", "match": 'job=~"plain|guests"'},
        {"preset": "libvirt", "labels": {"server": "plain_uuid"}},
    ],
    ids=["openstack_info", "info_meta"],
)
def test_ids_are_joined_from_the_metric_that_has_them(url: str, settings: dict[str, object]) -> None:
    loads, report = measure(url, "first", "second", "third", **settings)
    assert {server: shown(load) for server, load in loads.items()} == {
        "first": (0.1, 0.6, 1.2, 7, HOST),
        "second": (0.2, 0.8667, 2.6, 7, HOST),
    }
    assert report.missing == {"third": "young"}


def test_nanoseconds_of_libvirtd_exporter_with_the_guests_steal(url: str) -> None:
    loads, _ = measure(url, "by-libvirtd", preset="vexxhost")
    assert shown(loads["by-libvirtd"]) == (0.05, 2.0, 1.6, 7, "prometheus: guest steal, host demand, guest load")


def test_guests_alone(url: str) -> None:
    loads, _ = measure(url, "told", "inside", preset="guest")
    assert shown(loads["told"]) == (0.01, 1.5, 9.92, 7, "prometheus: guest steal, guest load")
    assert shown(loads["inside"])[0] == 0.25


def test_another_clouds_series_are_left_out(url: str) -> None:
    loads, report = measure(url, "busy", match='instance="h2:9177"')
    assert not loads
    assert report.missing == {"busy": "unseen"}


def test_wrong_promql_is_named(url: str) -> None:
    with pytest.raises(BadInput, match=r"rejects the query guest\.load: .*parse error") as caught:
        measure(url, "busy", queries={"guest": {"load": "max by ($guest) (node_load1"}})
    assert "prometheus.queries.guest.load" in str(caught.value)


def test_an_own_query_replaces_the_presets(url: str) -> None:
    loads, _ = measure(url, "busy", queries={"host": {"vcpus": "8 * max by ($server) (libvirt_domain_info_meta)"}})
    assert loads["busy"].steal == pytest.approx(0.1)


def test_series_that_name_no_server_are_said(url: str) -> None:
    loads, report = measure(
        url, "busy", queries={"host": {"waited": "sum(rate(libvirt_domain_vcpu_delay_seconds_total[1m]))"}}
    )
    assert not loads
    assert any(f.code == "meter-label" and "`waited`" in f.text for f in report.findings())
