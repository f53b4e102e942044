"""libvirt's bindings, replaced by hosts in memory."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bindings import standing_for_libvirt
from unit.exporter.small_libvirt import FakeHost, SmallLibvirt
from watari.exporter import Collector
from watari.exporter.serving import connect

URI = "qemu:///system"
Samples = dict[tuple[str, ...], float]


@pytest.fixture
def lv(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallLibvirt]:
    module = SmallLibvirt()
    with standing_for_libvirt(monkeypatch, module):
        yield module


@pytest.fixture
def host(lv: SmallLibvirt) -> FakeHost:
    lv.hosts[URI] = FakeHost()
    return lv.hosts[URI]


@pytest.fixture
def collector(host: FakeHost) -> Collector:
    return Collector(connect(URI, read_only=True))


def exposed(collector: Collector) -> str:
    """What Prometheus gets."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry).decode()


def scraped(collector: Collector) -> Samples:
    """Values by name and labels' values, in the order of the labels' names, uuid left out."""
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "uuid")): sample.value
        for family in text_string_to_metric_families(exposed(collector))
        for sample in family.samples
    }
