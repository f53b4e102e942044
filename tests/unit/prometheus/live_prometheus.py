"""A real Prometheus on a free loopback port, told a history of samples by remote write."""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]  # how Prometheus marks that a series ended


@dataclass
class Series:
    """One series: its labels and (Unix seconds, value) samples, oldest first."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Span:
    """From when to when samples came, in seconds before the history's end; `marked`: Prometheus noticed their end."""

    begin: int = -900
    end: int = 0
    marked: bool = True


ALL = Span()


@dataclass
class History:
    """What exporters of one cloud said, scraped every 15 s until `end_s`."""

    end_s: float
    series: list[Series] = field(default_factory=list)
    step_s: int = 15

    def counter(self, name: str, per_s: float, labels: Mapping[str, str], span: Span = ALL) -> None:
        """A counter that grows by `per_s`."""
        times = self.times(span)
        self._add(name, [(t, 1000 + per_s * (t - times[0])) for t in times], labels, span)

    def gauge(self, name: str, value: float, labels: Mapping[str, str], span: Span = ALL) -> None:
        self._add(name, [(t, value) for t in self.times(span)], labels, span)

    def times(self, span: Span = ALL) -> list[float]:
        """When the scrapes were, in Unix seconds."""
        return [self.end_s + t for t in range(span.begin, span.end + 1, self.step_s)]

    def _add(self, name: str, samples: list[tuple[float, float]], labels: Mapping[str, str], span: Span) -> None:
        end = [(self.end_s + span.end + self.step_s, STALE)] if span.end < 0 and span.marked else []
        self.series.append(Series({"__name__": name, **labels}, samples + end))


def vm(history: History, uuid: str, host: str, used: float, waited: float, vcpus: int, span: Span = ALL) -> None:
    """A domain as an exporter with the server's id on every metric tells it; `waited` cores over all its vCPUs."""
    labels = {"instance": f"{host}:9177", "job": "libvirt", "uuid": uuid, "domain": f"instance-{uuid}"}
    history.counter("libvirt_domain_info_cpu_time_seconds_total", used, labels, span)
    history.gauge("libvirt_domain_info_virtual_cpus", vcpus, labels, span)
    history.gauge("libvirt_domain_info_meta", 1, labels, span)
    for n in range(vcpus):
        history.counter("libvirt_domain_vcpu_delay_seconds_total", waited / vcpus, labels | {"vcpu": str(n)}, span)


def guest(history: History, id_: str, used: float, stolen: float, cpus: int, load: float, span: Span = ALL) -> None:
    """A guest with a node exporter that Prometheus reaches at two addresses."""
    for address in ("10.0.0.1:9100", "192.168.0.1:9100"):
        labels = {"instance": address, "instance_id": id_, "job": "guests"}
        history.gauge("node_load1", load, labels, span)
        for n in range(cpus):
            idle = 1 - (used + stolen) / cpus
            modes = {"user": used / cpus * 0.75, "system": used / cpus * 0.25, "steal": stolen / cpus, "idle": idle}
            for mode, share in modes.items():
                history.counter("node_cpu_seconds_total", share, labels | {"cpu": str(n), "mode": mode}, span)


@contextmanager
def prometheus(folder: Path, history: Iterable[Series]) -> Iterator[str]:
    """Its address, while it runs; it is stopped by its process id."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("there is no `prometheus` here (Debian and Ubuntu: apt install prometheus)")
    (folder / "prometheus.yml").write_text("global: {}\n")
    port = _free_port()
    url = f"http://127.0.0.1:{port}/some/prefix"
    command = [
        binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver",
        f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url={url}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            with requests.Session() as session:
                session.trust_env = False
                _wait_until_ready(session, url, process, folder / "log")
                answer = session.post(
                    f"{url}/api/v1/write", data=_snappy(_write_request(history)), timeout=30,
                    headers={"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"},
                )  # fmt: skip
                assert answer.status_code == 204, answer.text
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(session: requests.Session, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            if session.get(f"{url}/-/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Prometheus is not ready: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _write_request(history: Iterable[Series]) -> bytes:
    """prometheus.WriteRequest in protobuf: timeseries = 1 {labels = 1 {name = 1, value = 2}, samples = 2 {1, 2}}."""
    return b"".join(_bytes(1, _time_series(series)) for series in history)


def _time_series(series: Series) -> bytes:
    labels = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _bytes(2, value.encode())) for name, value in sorted(series.labels.items())
    )
    samples = b"".join(
        _bytes(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(t * 1000)))
        for t, value in series.samples
    )
    return labels + samples


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _snappy(content: bytes) -> bytes:
    """Snappy's block format, nothing compressed: literals of up to 64 KiB."""
    out = bytearray(_varint(len(content)))
    for begin in range(0, len(content), 65536):
        piece = content[begin : begin + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)
