"""Dirty rates: each guest in its turn, never during a job, never of unknown age."""

import pytest

from unit.exporter.conftest import URI, scraped
from unit.exporter.small_libvirt import BY_USER, CONSTANTS, PAUSED, FakeDomain, FakeHost, LibvirtError
from watari.exporter import Collector
from watari.exporter.dirty import DirtyRates
from watari.exporter.serving import connect

NAME = "instance-00000001"
KEY = ("libvirt_domain_dirty_rate_bytes_per_second", NAME)


@pytest.fixture
def rates(host: FakeHost) -> DirtyRates:
    return DirtyRates(connect(URI, read_only=False), 60.0)


def test_what_was_measured_is_told_in_bytes(host: FakeHost, rates: DirtyRates) -> None:
    host.domains = [FakeDomain()]
    collector = Collector(connect(URI, read_only=True), rates)
    assert KEY not in scraped(collector)
    rates.step()
    assert scraped(collector)[KEY] == 3 * 2**20
    assert host.groups & 512
    host.domains[0].stats["dirtyrate.calc_status"] = 1  # being measured
    assert KEY not in scraped(collector)


def test_what_others_measured_is_of_unknown_age(host: FakeHost, rates: DirtyRates) -> None:
    host.domains = [FakeDomain()]
    host.domains[0].startDirtyRateCalc(1, 0)
    assert KEY not in scraped(Collector(connect(URI, read_only=True), rates))


def test_guests_take_turns_over_the_whole_interval(host: FakeHost, rates: DirtyRates) -> None:
    host.domains = [FakeDomain(uuid=f"{n}", id=n) for n in range(1, 5)]
    for round in (1, 2):
        assert [rates.step() for _ in host.domains] == 4 * [15.0]
        assert [d.calls["startDirtyRateCalc"] for d in host.domains] == 4 * [round]
    host.domains.append(FakeDomain(uuid="5", id=5))  # new ones come first
    rates.step()
    assert host.domains[-1].calls["startDirtyRateCalc"] == 1


def test_neither_guests_with_a_job_nor_paused_ones(host: FakeHost, rates: DirtyRates) -> None:
    host.domains = [FakeDomain(job={"type": 2, "operation": 5}), FakeDomain(uuid="2", state=(PAUSED, BY_USER))]
    for _ in range(3):
        rates.step()
    assert not any(d.calls["startDirtyRateCalc"] for d in host.domains)
    assert not rates.asked(host.domains[0].uuid, 1)


def test_nobody_there(host: FakeHost, rates: DirtyRates) -> None:
    assert rates.step() == 60.0


def test_what_qemu_cannot_is_said_once(
    host: FakeHost, rates: DirtyRates, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(*_: object) -> None:
        raise LibvirtError("this QEMU cannot", CONSTANTS["VIR_ERR_OPERATION_UNSUPPORTED"])

    monkeypatch.setattr(FakeDomain, "startDirtyRateCalc", unsupported)
    host.domains = [FakeDomain(), FakeDomain(uuid="2", vanished=True)]
    for _ in range(4):
        rates.step()
    assert [r.getMessage() for r in caplog.records] == ["dirty rates are not measured: this QEMU cannot"]
