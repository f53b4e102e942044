"""libvirt goes away, hangs, comes back: no stale numbers, no end of the exporter, two lines in the log."""

import threading
import time

import pytest

from unit.exporter.conftest import scraped
from unit.exporter.small_libvirt import CONSTANTS, FakeDomain, FakeHost, LibvirtError
from watari.exporter import Collector
from watari.exporter import collector as module

AWAY = LibvirtError(
    "Failed to connect socket to '/var/run/libvirt/libvirt-sock-ro': No such file or directory",
    CONSTANTS["VIR_ERR_SYSTEM_ERROR"],
)


def test_away_and_back(host: FakeHost, collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    host.domains = [FakeDomain()]
    assert scraped(collector)["libvirt_up",] == 1
    host.away = AWAY
    for _ in range(3):
        assert scraped(collector) == {("libvirt_up",): 0}
    host.away = None
    host.domains[0].id = 2
    found = scraped(collector)
    assert found["libvirt_up",] == found["libvirt_domains",] == 1
    assert host.domains[0].calls["XMLDesc"] == 2
    gone, back = (record.getMessage() for record in caplog.records)
    assert gone.startswith("cannot read its domains on qemu:///system now: Failed to connect socket to")
    assert gone.endswith("; libvirt_up is 0 until it answers")
    assert back == "qemu:///system answers again"


@pytest.mark.parametrize("noticed", [True, False])
def test_a_restart_between_two_scrapes_costs_none(host: FakeHost, collector: Collector, noticed: bool) -> None:
    host.domains = [FakeDomain()]
    scraped(collector)
    collector._connection._opened.alive = not noticed
    collector._connection._opened.broken = True
    assert scraped(collector)["libvirt_up",] == 1
    assert host.calls["openReadOnly"] == 2


@pytest.mark.parametrize("code", ["VIR_ERR_AUTH_FAILED", "VIR_ERR_OPERATION_INVALID", "VIR_ERR_RPC"])
def test_whatever_libvirt_says_the_exporter_lives(host: FakeHost, collector: Collector, code: str) -> None:
    host.away = LibvirtError("no", CONSTANTS[code])
    assert scraped(collector) == {("libvirt_up",): 0}
    host.away = None
    assert scraped(collector)["libvirt_up",] == 1


def waiting(host: FakeHost, collector: Collector, count: int) -> list[threading.Thread]:
    """Scrapes that libvirt does not answer yet."""
    host.hangs = count
    threads = [threading.Thread(target=scraped, args=(collector,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    while host.calls["getAllDomainStats"] < count:
        time.sleep(0.01)
    return threads


def test_a_daemon_that_hangs_holds_up_a_few_scrapes_only(
    host: FakeHost, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    threads = waiting(host, collector, module.AT_ONCE)
    assert scraped(collector) == {("libvirt_up",): 0}
    assert host.calls["getAllDomainStats"] == module.AT_ONCE
    host.released.set()
    for thread in threads:
        thread.join(10)
    assert scraped(collector)["libvirt_up",] == 1


def test_a_guest_that_keeps_a_call_does_not_keep_the_next(host: FakeHost, collector: Collector) -> None:
    threads = waiting(host, collector, 1)
    assert scraped(collector)["libvirt_up",] == 1
    host.released.set()
    threads[0].join(10)
