"""A move as two hosts show it: the guest is counted once, counters begin anew, progress is the source's."""

import pytest

from unit.exporter.conftest import URI, scraped
from unit.exporter.small_libvirt import (
    BACKUP,
    BOOTED,
    BY_USER,
    MIGRATED,
    MIGRATION,
    MIGRATION_IN,
    MIGRATION_OUT,
    PAUSED,
    PAUSED_POSTCOPY,
    POSTCOPY,
    RUNNING,
    STARTING_UP,
    UNBOUNDED,
    UNPAUSED,
    FakeDomain,
    FakeHost,
    SmallLibvirt,
    counters,
)
from watari.exporter import Collector
from watari.exporter.serving import connect

State = tuple[int, int] | None
NAME = "instance-00000001"
OUT = {
    "type": UNBOUNDED, "operation": MIGRATION_OUT, "time_elapsed": 2500, "data_total": 3000, "data_processed": 1000,
    "data_remaining": 2000, "memory_total": 3000, "memory_processed": 1000, "memory_remaining": 2000,
    "memory_bps": 400, "memory_dirty_rate": 5, "memory_page_size": 4096, "memory_iteration": 2, "downtime": 300,
    "auto_converge_throttle": 20,
}  # fmt: skip
IN = {"type": UNBOUNDED, "operation": MIGRATION_IN, "time_elapsed": 2500}
# What was seen on two hosts of libvirt 9.0 and QEMU 7.2, in this order.
MOVE: list[tuple[str, State, State, str]] = [
    ("before", (RUNNING, BOOTED), None, "source"),
    ("the target makes ready", (RUNNING, BOOTED), (PAUSED, STARTING_UP), "source"),
    ("memory is copied", (RUNNING, BOOTED), (PAUSED, MIGRATION), "source"),
    ("nobody runs it", (PAUSED, MIGRATION), (PAUSED, MIGRATION), "nobody"),
    ("switched over", (PAUSED, MIGRATION), (RUNNING, MIGRATED), "target"),
    ("post-copy", (PAUSED, PAUSED_POSTCOPY), (RUNNING, POSTCOPY), "target"),
    ("after", None, (RUNNING, MIGRATED), "target"),
    ("it was paused before: the source", (PAUSED, BY_USER), (PAUSED, MIGRATION), "source"),
    ("it was paused before: the target", None, (PAUSED, BY_USER), "target"),
]


def on(lv: SmallLibvirt, name: str, state: State, job: dict[str, int]) -> Collector:
    domains = [FakeDomain(state=state, job=job)] if state else []
    lv.hosts[f"qemu+tcp://{name}/system"] = FakeHost(domains)
    return Collector(connect(f"qemu+tcp://{name}/system", read_only=True))


@pytest.mark.parametrize(("source", "target", "where"), [row[1:] for row in MOVE], ids=[row[0] for row in MOVE])
def test_a_guest_on_both_hosts_is_counted_once(lv: SmallLibvirt, source: State, target: State, where: str) -> None:
    both = {"source": scraped(on(lv, "source", source, OUT)), "target": scraped(on(lv, "target", target, IN))}
    having = [name for name, found in both.items() if ("libvirt_domain_info_cpu_time_seconds_total", NAME) in found]
    assert having == ([] if where == "nobody" else [where])
    assert sum(found["libvirt_domains",] for found in both.values()) == len(having)
    for name, found in both.items():
        if name != where:
            assert all(key[0].startswith("libvirt_domain_job_info_") for key in found if NAME in key)


def test_progress_is_the_sources_until_the_source_is_gone(lv: SmallLibvirt) -> None:
    for state in ((RUNNING, BOOTED), (PAUSED, MIGRATION), (PAUSED, PAUSED_POSTCOPY)):
        found = scraped(on(lv, "source", state, OUT))
        assert found["libvirt_domain_job_info_type", NAME, "migration_out"] == UNBOUNDED
        assert found["libvirt_domain_job_info_time_elapsed_seconds", NAME] == 2.5
        assert found["libvirt_domain_job_info_data_remaining_bytes", NAME] == 2000
        assert found["libvirt_domain_job_info_memory_bytes_per_second", NAME] == 400
        assert found["libvirt_domain_job_info_memory_dirty_bytes_per_second", NAME] == 5 * 4096
        assert found["libvirt_domain_job_info_downtime_seconds", NAME] == 0.3
        assert found["libvirt_domain_job_info_throttle_ratio", NAME] == 0.2
    for state in ((PAUSED, MIGRATION), (RUNNING, POSTCOPY)):
        assert not any(key[0].startswith("libvirt_domain_job") for key in scraped(on(lv, "target", state, IN)))


def test_only_domains_with_a_job_have_its_metrics(host: FakeHost, collector: Collector) -> None:
    host.domains = [
        FakeDomain(),
        FakeDomain(uuid="2", called="saved", job={"type": UNBOUNDED, "operation": BACKUP, "disk_total": 10}),
    ]
    jobs = {key for key in scraped(collector) if key[0].startswith("libvirt_domain_job")}
    assert jobs == {
        ("libvirt_domain_job_info_type", "saved", "backup"),
        ("libvirt_domain_job_info_file_total_bytes", "saved"),
    }


def test_counters_are_handed_on_as_they_are_also_when_they_begin_anew(host: FakeHost, collector: Collector) -> None:
    key = ("libvirt_domain_vcpu_delay_seconds_total", NAME, "0")
    host.domains = [FakeDomain(stats=counters(delay_s=90))]
    assert scraped(collector)[key] == 90
    host.domains = []  # it moved away
    assert key not in scraped(collector)
    host.domains = [FakeDomain(id=2, stats=counters(delay_s=0.25))]  # and came back: a new process
    assert scraped(collector)[key] == 0.25
    assert min(scraped(collector).values()) >= 0


def test_a_move_that_failed_leaves_the_counters_as_they_were(host: FakeHost, collector: Collector) -> None:
    host.domains = [FakeDomain(state=(PAUSED, MIGRATION), stats=counters(delay_s=90), job=OUT)]
    scraped(collector)
    host.domains[0].state, host.domains[0].job = (RUNNING, UNPAUSED), {}
    assert scraped(collector)["libvirt_domain_vcpu_delay_seconds_total", NAME, "0"] == 90


def test_uris_of_other_hosts_may_be_read_too(lv: SmallLibvirt) -> None:
    lv.hosts["qemu+ssh://root@h1/system"] = FakeHost([FakeDomain()])
    assert URI not in lv.hosts
    assert scraped(Collector(connect("qemu+ssh://root@h1/system", read_only=True)))["libvirt_domains",] == 1
