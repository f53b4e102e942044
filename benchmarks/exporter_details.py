"""Which of libvirt's answers cost what, per guest: the groups of statistics, the question for a job, a dirty rate.

Run as `python -m benchmarks.exporter_details`; needs what `benchmarks.exporter` needs.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.exporter import cpu_s
from benchmarks.private_libvirt import PrivateLibvirt
from watari.drivers.libvirt.library import libvirt

GUESTS, ROUNDS = 50, 10
LARGE_MIB = 4096
GROUPS = ("STATE", "CPU_TOTAL", "BALLOON", "VCPU", "INTERFACE", "BLOCK", "DIRTYRATE")


def main() -> int:
    lv = libvirt()
    print("per guest and question:                  ms    libvirtd ms    QEMU ms")
    with PrivateLibvirt(GUESTS) as host:
        connection = lv.openReadOnly(host.uri)
        domains = connection.listAllDomains(0)
        for group in GROUPS:
            statistics = partial(connection.getAllDomainStats, getattr(lv, f"VIR_DOMAIN_STATS_{group}"), 0)
            _measure(f"statistics, {group}", host, ROUNDS, GUESTS, statistics)
        _measure("info", host, ROUNDS, GUESTS, lambda: [domain.info() for domain in domains])
        _measure("job", host, ROUNDS, GUESTS, lambda: [domain.jobInfo() for domain in domains])
        connection.close()
    with PrivateLibvirt(1, LARGE_MIB) as host:
        connection = lv.open(host.uri)
        (domain,) = connection.listAllDomains(0)

        def dirty_rate() -> None:
            domain.startDirtyRateCalc(1, 0)
            time.sleep(1.5)

        _measure(f"dirty rate, {LARGE_MIB} MiB, 1.5 s", host, ROUNDS, 1, dirty_rate)
        _measure("nothing, 1.5 s", host, ROUNDS, 1, lambda: time.sleep(1.5))
        connection.close()
    return 0


def _measure(what: str, host: PrivateLibvirt, rounds: int, guests: int, ask: Callable[[], object]) -> None:
    time.sleep(1)
    before, begun = (cpu_s([host.pid]), cpu_s(host.guests)), time.perf_counter()
    for _ in range(rounds):
        ask()
    took_s = time.perf_counter() - begun
    after = cpu_s([host.pid]), cpu_s(host.guests)
    ms = [1e3 * s / rounds / guests for s in (took_s, after[0] - before[0], after[1] - before[1])]
    print(f"{what:32} {ms[0]:10.2f} {ms[1]:14.2f} {ms[2]:10.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
