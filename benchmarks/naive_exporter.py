"""An exporter as the common ones ask: nine calls per domain at every scrape. Serves the same series; for comparison.

The calls are those of inovex/prometheus-libvirt-exporter 2.x. Run as `python -m benchmarks.naive_exporter URI PORT`.
"""

import sys
import threading
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from watari.drivers.libvirt.library import libvirt
from watari.exporter.families import families
from watari.exporter.reading import Guest, read_description


class Naive(Collector):
    """Connects anew for every scrape, as they do."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def collect(self) -> Iterator[Metric]:
        connection = libvirt().openReadOnly(self._uri)
        guests = [self._read(connection, domain) for domain in connection.listAllDomains(0)]
        connection.close()
        yield from families(guests)

    def _read(self, connection: Any, domain: Any) -> Guest:
        lv = libvirt()
        described = read_description(domain.XMLDesc(0))
        state, maximum, memory, _, cpu = domain.info()
        domain.isActive()
        info = {"info.maximum": maximum, "info.memory": memory, "info.cpu_time": cpu}
        stats: dict[str, Any] = {"state.state": state, **info}
        groups = (
            lv.VIR_DOMAIN_STATS_BLOCK, lv.VIR_DOMAIN_STATS_BLOCK, lv.VIR_DOMAIN_STATS_INTERFACE,
            lv.VIR_DOMAIN_STATS_BALLOON, lv.VIR_DOMAIN_STATS_VCPU,
        )  # fmt: skip
        for group in groups:
            (_, told), *_ = connection.domainListGetStats([domain], group, lv.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
            stats |= told
        domain.jobInfo()
        return Guest(domain.name(), domain.UUIDString(), described, stats, {})


def main(argv: list[str]) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Naive(argv[1]))
    start_http_server(int(argv[2]), "127.0.0.1", registry)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv)
