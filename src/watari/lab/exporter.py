"""What a libvirt exporter on every host and a node exporter in every guest would serve, for the lab's servers.

Run as `python -m watari.lab.exporter DIR`; serves `/metrics?host=cmp01`, 503 for a host that is dead.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from watari.lab.counters import Book, Counters, Guest
from watari.lab.paths import LabPaths, read_json, write_json
from watari.lab.spec import LabSpec

STEP_S = 1.0
SAVE_EVERY = 5  # steps
_LABELS = ("domain", "uuid")
_GUEST = ("instance_id",)


class Measured:
    """The lab's servers and their counters, brought up to date once per second."""

    def __init__(self, paths: LabPaths) -> None:
        self.paths = paths
        self.spec = LabSpec.from_json(read_json(paths.description, {}))
        self._lock = threading.Lock()
        self._book = read_book(paths.counters)
        self._placed: dict[str, Guest] = {}
        self._mute: frozenset[str] = frozenset()
        self.dead: frozenset[str] = frozenset()

    def step(self) -> None:
        dead = frozenset(read_json(self.paths.dead, []))
        mute = frozenset(read_json(self.paths.mute, []))
        demand = read_json(self.paths.demand, {})
        guests = list(read_guests(self.paths, [host for host in self.spec.hosts if host not in dead]))
        with self._lock:
            self._placed = self._book.advance(time.time(), guests, demand, self.spec.host)
            self.dead, self._mute = dead, mute

    def save(self) -> None:
        with self._lock:
            value = self._book.to_json()
        write_json(self.paths.counters, value)

    def on(self, host: str) -> list[tuple[Guest, Counters]]:
        with self._lock:
            return [
                (guest, self._book.of[guest.id])
                for guest in self._placed.values()
                if guest.host == host and guest.id not in self._mute
            ]


def read_book(path: Path) -> Book:
    """The counters of the last run; new ones if there are none that can be read."""
    try:
        return Book.from_json(read_json(path, {}))
    except (KeyError, TypeError):
        return Book()


def read_guests(paths: LabPaths, hosts: Iterable[str]) -> Iterator[Guest]:
    for host in hosts:
        for id, details in read_json(paths.servers(host), {}).items():
            yield Guest.from_json(id, host, details)


def metrics(servers: Iterable[tuple[Guest, Counters]]) -> Iterator[Metric]:
    """Names and labels as the common libvirt exporters and the node exporter have them."""
    meta = GaugeMetricFamily(
        "libvirt_domain_info_meta",
        "Domain metadata",
        labels=(*_LABELS, "instance_name", "project_id", "flavor"),
    )
    count = GaugeMetricFamily("libvirt_domain_info_virtual_cpus", "vCPUs of the domain", labels=_LABELS)
    total = CounterMetricFamily("libvirt_domain_info_cpu_time_seconds", "CPU time of the domain", labels=_LABELS)
    per_vcpu = {
        name: CounterMetricFamily(f"libvirt_domain_vcpu_{name}_seconds", text, labels=(*_LABELS, "vcpu"))
        for name, text in (
            ("time", "CPU time of the vCPU"),
            ("delay", "Time that the vCPU was runnable and waited for a thread of the host"),
            ("wait", "Time that the vCPU waited for I/O"),
        )
    }
    load = GaugeMetricFamily("node_load1", "Runnable tasks in the guest", labels=_GUEST)
    cpu = CounterMetricFamily("node_cpu_seconds", "Seconds per mode in the guest", labels=(*_GUEST, "cpu", "mode"))
    for guest, counters in servers:
        who = (guest.domain, guest.id)
        meta.add_metric((*who, guest.name, guest.project, guest.flavor), 1)
        count.add_metric(who, guest.vcpus)
        total.add_metric(who, counters.run_s * guest.vcpus)
        if not guest.runs:
            continue  # libvirt tells nothing about the vCPUs of a domain that is off, and nothing runs in it
        load.add_metric((guest.id,), counters.load)
        for vcpu in map(str, range(guest.vcpus)):
            for name, value in (("time", counters.run_s), ("delay", counters.delay_s), ("wait", 0.0)):
                per_vcpu[name].add_metric((*who, vcpu), value)
            modes = (("user", counters.run_s), ("steal", counters.delay_s), ("idle", counters.idle_s))
            for mode, value in modes:
                cpu.add_metric((guest.id, vcpu, mode), value)
    yield from (meta, count, total, *per_vcpu.values(), load, cpu)


class OneHost(Collector):
    """A host's metrics at this moment."""

    def __init__(self, measured: Measured, host: str) -> None:
        self._measured, self._host = measured, host

    def collect(self) -> Iterator[Metric]:
        return metrics(self._measured.on(self._host))


def exposition(measured: Measured, host: str) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(OneHost(measured, host))
    return generate_latest(registry)


def handler(measured: Measured) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            host = parse_qs(url.query).get("host", [""])[0]
            if url.path == "/ready":
                self._answer(HTTPStatus.OK, b"ready\n", "text/plain")
            elif url.path != "/metrics" or host not in measured.spec.hosts:
                self._answer(HTTPStatus.NOT_FOUND, b"ask for /metrics?host=cmp01\n", "text/plain")
            elif host in measured.dead:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"this host is dead\n", "text/plain")
            else:
                self._answer(HTTPStatus.OK, exposition(measured, host), CONTENT_TYPE_LATEST)

        def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """One line per scrape would fill the log."""

    return Handler


def main(argv: list[str]) -> int:
    measured = Measured(LabPaths(Path(argv[1])))
    measured.step()
    server = ThreadingHTTPServer(("127.0.0.1", measured.spec.port("exporter")), handler(measured))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    steps = 0
    while not ended.wait(STEP_S):
        measured.step()
        steps += 1
        if steps % SAVE_EVERY == 0:
            measured.save()
    measured.save()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
