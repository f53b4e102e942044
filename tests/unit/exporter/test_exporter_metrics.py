"""Names, labels and values; how often libvirt is asked; domains that are odd, new or just gone."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from unit.exporter.conftest import exposed, scraped
from unit.exporter.small_libvirt import IO_ERROR, PAUSED, PLAIN_XML, FakeDomain, FakeHost, SmallLibvirt, counters
from watari.drivers.debian import imported
from watari.drivers.prometheus.queries import PRESETS, SERVER_LABELS
from watari.errors import BadInput
from watari.exporter import Collector

NAME = "instance-00000001"


def test_names_and_base_units_are_those_of_the_common_exporters(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(stats=counters(delay_s=1.5))]
    found = scraped(collector)
    assert found["libvirt_up",] == 1
    assert found["libvirt_domains",] == 1
    assert found["libvirt_domain_vcpu_delay_seconds_total", NAME, "1"] == 1.5
    assert found["libvirt_domain_vcpu_wait_seconds_total", NAME, "0"] == 0
    assert found["libvirt_domain_vcpu_time_seconds_total", NAME, "0"] == 1
    assert found["libvirt_domain_vcpu_current", NAME] == found["libvirt_domain_info_virtual_cpus", NAME] == 2
    assert found["libvirt_domain_info_cpu_time_seconds_total", NAME] == 5
    assert found["libvirt_domain_info_maximum_memory_bytes", NAME] == 2 * 2**20
    assert found["libvirt_domain_info_state", NAME, "the domain is running"] == 1
    assert found["libvirt_domain_block_stats_read_bytes_total", NAME, "vda"] == 4096
    assert found["libvirt_domain_block_stats_read_time_seconds_total", NAME, "vda"] == 0.5
    assert found["libvirt_domain_interface_stats_transmit_bytes_total", NAME, "tap1"] == 20
    assert ("libvirt_domain_vcpu_state", NAME, "2") not in found  # of four that may be online two are
    assert not any("hda" in key for key in found)
    assert min(found.values()) >= 0


def test_every_series_of_a_domain_names_its_uuid_and_the_info_joins_them_to_nova(
    host: FakeHost, collector: Collector
) -> None:
    host.domains = [FakeDomain()]
    samples = [s for family in text_string_to_metric_families(exposed(collector)) for s in family.samples]
    assert {s.labels["uuid"] for s in samples if "domain" in s.labels} == {host.domains[0].uuid}
    assert [s.name for s in samples if "domain" not in s.labels] == ["libvirt_up", "libvirt_domains"]
    info = next(s for s in samples if s.name == "libvirt_domain_openstack_info")
    assert info.value == 1
    assert info.labels == {
        "domain": NAME, "uuid": host.domains[0].uuid, "instance_id": host.domains[0].uuid, "instance_name": "web-1",
        "flavor_name": "m1.small", "project_id": "p-1", "project_name": "shop", "user_id": "u-1", "user_name": "alice",
    }  # fmt: skip


def test_types_are_told(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain()]
    text = exposed(collector)
    assert "# TYPE libvirt_domain_vcpu_delay_seconds_total counter\n" in text
    assert "# TYPE libvirt_domain_vcpu_current gauge\n" in text


def test_a_domain_without_metadata_goes_by_its_own_name(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(called="plain", xml=PLAIN_XML)]
    key = ("libvirt_domain_openstack_info", "plain", "", host.domains[0].uuid, "plain", "", "", "", "")
    assert scraped(collector)[key] == 1


def test_metadata_of_old_nova_is_read(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(xml=FakeDomain().xml.replace("nova/1.1", "nova/1.0"))]
    assert 'instance_name="web-1"' in exposed(collector)


def test_names_that_break_lines_and_quotes_are_escaped(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(xml=FakeDomain().xml.replace("web-1", 'a\\b "c"&#10;ウェブ'))]
    assert 'instance_name="a\\\\b \\"c\\"\\nウェブ"' in exposed(collector)
    assert next(v for k, v in scraped(collector).items() if 'a\\b "c"\nウェブ' in k) == 1


def test_one_call_for_all_and_one_description_per_process(host: FakeHost, collector: Collector) -> None:
    domain = FakeDomain()
    host.domains = [domain, FakeDomain(uuid="2", called="other")]
    for _ in range(3):
        scraped(collector)
    assert (host.calls["openReadOnly"], host.calls["open"], host.calls["getAllDomainStats"]) == (1, 0, 3)
    assert domain.calls == {"XMLDesc": 1, "jobInfo": 3, "info": 3}
    domain.id, domain.xml = 7, domain.xml.replace("m1.small", "m1.large")  # resized: a new process
    assert 'flavor_name="m1.large"' in exposed(collector)
    assert domain.calls["XMLDesc"] == 2
    assert not host.groups & (2 | 512)  # CPU_TOTAL and dirty rates ask QEMU


def test_descriptions_of_domains_that_are_gone_are_forgotten(host: FakeHost, collector: Collector) -> None:
    for id in range(1, 50):
        host.domains = [FakeDomain(id=id)]
        scraped(collector)
    assert len(collector._reader._known) == 1


def test_a_domain_that_vanishes_between_two_calls_is_left_out(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(vanished=True), FakeDomain(uuid="2", called="other")]
    found = scraped(collector)
    assert found["libvirt_up",] == 1
    assert found["libvirt_domains",] == 1
    assert not any(NAME in key for key in found)
    assert found["libvirt_domain_vcpu_current", "other"] == 2


def test_a_domain_whose_qemu_is_stuck_tells_what_it_can_and_is_not_asked(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain()]
    scraped(collector)
    asked = host.domains[0].calls.copy()
    vcpu = {"vcpu.maximum": 1, "vcpu.0.state": 1, "vcpu.0.delay": 7e9}
    host.domains[0].stats = {"block.count": 1, "block.0.name": "vda", **vcpu}
    found = scraped(collector)
    assert found["libvirt_domain_vcpu_delay_seconds_total", NAME, "0"] == 7
    assert not any(key[0].startswith("libvirt_domain_block") for key in found)
    assert host.domains[0].calls == asked


def test_a_paused_domain_is_here(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(state=(PAUSED, IO_ERROR))]
    assert scraped(collector)["libvirt_domain_info_state", NAME, "the domain is paused by user"] == 3


def test_the_numbers_of_the_fake_are_libvirts(lv: SmallLibvirt) -> None:
    try:
        real = imported("libvirt", "python3-libvirt")
    except BadInput:
        pytest.skip("python3-libvirt is not installed")
    assert {name: getattr(lv, name) for name in lv} == {name: getattr(real, name) for name in lv}


@pytest.mark.parametrize("preset", ["watari", "kolla"])
def test_watari_itself_finds_every_series_that_it_asks_prometheus_for(
    host: FakeHost, collector: Collector, preset: str
) -> None:
    host.domains = [FakeDomain()]
    samples = [s for family in text_string_to_metric_families(exposed(collector)) for s in family.samples]
    asked = {name for text in PRESETS[preset]["host"].values() for name in re.findall(r"libvirt_\w+", text)}
    server = SERVER_LABELS.get(preset, "uuid")
    assert len(asked) >= 3
    for name in asked:
        labels = [s.labels for s in samples if s.name == name]
        assert labels
        if preset == "watari" or name.endswith("_info"):
            assert all(of[server] == host.domains[0].uuid for of in labels)
