"""Which metric is which of libvirt's statistics.

Names, labels and base units are those of inovex/prometheus-libvirt-exporter 2.x, which Tinkoff/libvirt-exporter mostly
shares. libvirt's keys and their units are those of virConnectGetAllDomainStats and virDomainGetJobStats; `info.` stands
before fields of virDomainGetInfo.
"""

from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.core import Metric

NS: Final = 1e9
MS: Final = 1e3
KIB: Final = 1 / 2**10
MIB: Final = 1 / 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. `per`: how many of libvirt's units make one of the metric's."""

    name: str
    key: str
    text: str
    per: float = 1

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        return "counter" if self.name.endswith("_total") else "gauge"

    def family(self) -> Metric:
        return Metric(self.name.removesuffix("_total"), self.text, self.kind)


UP: Final = Row("libvirt_up", "", "1 if libvirt answered this scrape, else 0 and no other metric of libvirt")
DOMAINS: Final = Row("libvirt_domains", "", "Domains that run on this host")
OPENSTACK: Final = Row("libvirt_domain_openstack_info", "", "What Nova says of the server; 1")
STATE: Final = Row("libvirt_domain_info_state", "state.state", "State of the domain, as virDomainState counts")

DOMAIN: Final = (
    Row("libvirt_domain_info_maximum_memory_bytes", "info.maximum", "Memory the domain may have", KIB),
    Row("libvirt_domain_info_memory_usage_bytes", "info.memory", "Memory the domain has", KIB),
    Row("libvirt_domain_info_virtual_cpus", "vcpu.current", "vCPUs of the domain"),
    Row(
        "libvirt_domain_info_cpu_time_seconds_total",
        "info.cpu_time",
        "CPU time of the domain, QEMU's threads with it",
        NS,
    ),
    Row("libvirt_domain_vcpu_current", "vcpu.current", "vCPUs that are online"),
    Row("libvirt_domain_vcpu_maximum", "vcpu.maximum", "vCPUs that may be online"),
    Row("libvirt_domain_memory_stats_current_balloon_bytes", "balloon.current", "Memory the domain has", KIB),
    Row("libvirt_domain_memory_stats_maximum_bytes", "balloon.maximum", "Memory the domain may have", KIB),
    Row("libvirt_domain_memory_stats_rss_bytes", "balloon.rss", "Memory of the host that QEMU holds", KIB),
    Row("libvirt_domain_memory_stats_unused_bytes", "balloon.unused", "Memory the guest does not use at all", KIB),
    Row("libvirt_domain_memory_stats_available_bytes", "balloon.available", "Memory the guest sees", KIB),
    Row("libvirt_domain_memory_stats_usable_bytes", "balloon.usable", "Memory the guest could use, caches too", KIB),
    Row("libvirt_domain_memory_stats_disk_caches_bytes", "balloon.disk_caches", "Disk caches in the guest", KIB),
    Row("libvirt_domain_memory_stats_swap_in_bytes", "balloon.swap_in", "Memory the guest swapped in", KIB),
    Row("libvirt_domain_memory_stats_swap_out_bytes", "balloon.swap_out", "Memory the guest swapped out", KIB),
    Row("libvirt_domain_memory_stats_major_fault_total", "balloon.major_fault", "Page faults with I/O in the guest"),
    Row("libvirt_domain_memory_stats_minor_fault_total", "balloon.minor_fault", "Page faults without I/O in the guest"),
)
VCPU: Final = (  # after vcpu.N.
    Row("libvirt_domain_vcpu_state", "state", "State of the vCPU: 0 offline, 1 running, 2 blocked"),
    Row("libvirt_domain_vcpu_time_seconds_total", "time", "CPU time of the vCPU", NS),
    Row("libvirt_domain_vcpu_delay_seconds_total", "delay", "Time the vCPU queued for a CPU: the guest's steal", NS),
    Row("libvirt_domain_vcpu_wait_seconds_total", "wait", "Time the vCPU wanted to run and others ran before it", NS),
)
BLOCK: Final = (  # after block.N.
    Row("libvirt_domain_block_stats_read_bytes_total", "rd.bytes", "Bytes read"),
    Row("libvirt_domain_block_stats_read_requests_total", "rd.reqs", "Reads"),
    Row("libvirt_domain_block_stats_read_time_seconds_total", "rd.times", "Time that reads took", NS),
    Row("libvirt_domain_block_stats_write_bytes_total", "wr.bytes", "Bytes written"),
    Row("libvirt_domain_block_stats_write_requests_total", "wr.reqs", "Writes"),
    Row("libvirt_domain_block_stats_write_time_seconds_total", "wr.times", "Time that writes took", NS),
    Row("libvirt_domain_block_stats_flush_requests_total", "fl.reqs", "Flushes"),
    Row("libvirt_domain_block_stats_flush_time_seconds_total", "fl.times", "Time that flushes took", NS),
    Row("libvirt_domain_block_stats_capacity_bytes", "capacity", "Size of the disk as the guest sees it"),
)
INTERFACE: Final = (  # after net.N.; received and transmitted are the guest's
    Row("libvirt_domain_interface_stats_receive_bytes_total", "rx.bytes", "Bytes received"),
    Row("libvirt_domain_interface_stats_receive_packets_total", "rx.pkts", "Packets received"),
    Row("libvirt_domain_interface_stats_receive_errors_total", "rx.errs", "Errors on receiving"),
    Row("libvirt_domain_interface_stats_receive_drops_total", "rx.drop", "Packets dropped on receiving"),
    Row("libvirt_domain_interface_stats_transmit_bytes_total", "tx.bytes", "Bytes transmitted"),
    Row("libvirt_domain_interface_stats_transmit_packets_total", "tx.pkts", "Packets transmitted"),
    Row("libvirt_domain_interface_stats_transmit_errors_total", "tx.errs", "Errors on transmitting"),
    Row("libvirt_domain_interface_stats_transmit_drops_total", "tx.drop", "Packets dropped on transmitting"),
)
DIRTY_RATE: Final = Row(
    "libvirt_domain_dirty_rate_bytes_per_second",
    "dirtyrate.megabytes_per_second",  # of 2^20 bytes: DIRTYRATE in QEMU's migration/dirtyrate.c
    "Memory the guest changes per second, when it was measured last",
    MIB,
)
JOB_TYPE: Final = Row("libvirt_domain_job_info_type", "type", "Type of the job under way, as virDomainJobType counts")
JOB: Final = (
    Row("libvirt_domain_job_info_time_elapsed_seconds", "time_elapsed", "Since the job began", MS),
    Row("libvirt_domain_job_info_time_remaining_seconds", "time_remaining", "Until the job ends, if libvirt knows", MS),
    Row("libvirt_domain_job_info_data_total_bytes", "data_total", "To copy, memory and disks"),
    Row("libvirt_domain_job_info_data_processed_bytes", "data_processed", "Copied, memory and disks"),
    Row("libvirt_domain_job_info_data_remaining_bytes", "data_remaining", "Not copied yet, memory and disks"),
    Row("libvirt_domain_job_info_memory_total_bytes", "memory_total", "Memory to copy"),
    Row("libvirt_domain_job_info_memory_processed_bytes", "memory_processed", "Memory copied"),
    Row("libvirt_domain_job_info_memory_remaining_bytes", "memory_remaining", "Memory not copied yet"),
    Row("libvirt_domain_job_info_file_total_bytes", "disk_total", "Disks to copy"),
    Row("libvirt_domain_job_info_file_processed_bytes", "disk_processed", "Disks copied"),
    Row("libvirt_domain_job_info_file_remaining_bytes", "disk_remaining", "Disks not copied yet"),
    # What the common exporters lack, and what tells a move that will end from one that will not.
    Row("libvirt_domain_job_info_memory_bytes_per_second", "memory_bps", "Rate at which memory is copied"),
    Row("libvirt_domain_job_info_file_bytes_per_second", "disk_bps", "Rate at which disks are copied"),
    Row("libvirt_domain_job_info_memory_iteration", "memory_iteration", "Passes over memory, this one included"),
    Row("libvirt_domain_job_info_downtime_seconds", "downtime", "The pause at the end, as it would be now", MS),
    Row("libvirt_domain_job_info_throttle_ratio", "auto_converge_throttle", "How much vCPUs are slowed, 0 to 1", 100),
)
PAGES_DIRTIED: Final = Row(
    "libvirt_domain_job_info_memory_dirty_bytes_per_second",
    "memory_dirty_rate",  # pages: needs memory_page_size
    "Memory the guest changes per second while it is copied",
)

STATES: Final = {  # inovex's words
    0: "no state",
    1: "the domain is running",
    2: "the domain is blocked on resource",
    3: "the domain is paused by user",
    4: "the domain is being shut down",
    5: "the domain is shut off",
    6: "the domain is crashed",
    7: "the domain is suspended by guest power management",
}
OPERATIONS: Final = (  # virDomainJobOperation
    "unknown", "start", "save", "restore", "migration_in", "migration_out", "snapshot", "snapshot_revert", "dump",
    "backup", "snapshot_delete",
)  # fmt: skip
