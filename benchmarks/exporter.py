"""What a scrape of `watari exporter` costs with 100 guests: its CPU, libvirtd's, and the same for other exporters."""

import argparse
import contextlib
import gzip
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.private_libvirt import DRIVER, PrivateLibvirt

GUESTS, SCRAPES = 100, 20
INTERVAL_S = 15.0
LIMIT = 0.01  # of a core: Watari's own, at that interval
TICKS_S = os.sysconf("SC_CLK_TCK")
AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
OURS, NAIVE = "watari exporter", "per-domain calls"

EPILOG = f"""The guests are QEMU processes without KVM, paused, with 2 vCPUs and 2 disks each, under a libvirtd of their
own, in a folder that goes away with them; as nobody where root asks. Needs libvirtd, qemu-system-x86_64 and
python3-libvirt, and 40 MiB of memory per guest.

"{NAIVE}" is the same Python with the calls that the common exporters make: nine per domain.
--peer measures another exporter beside: {{socket}} is libvirtd's, {{driver}} the URI on it, {{port}} where to listen.

exit code: 0; with --check 1 if the exporter takes over {LIMIT:.0%} of a core at {INTERVAL_S:.0f} s
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all scrapes: CPU seconds of the exporter, libvirtd and the QEMUs, seconds until the answer."""

    name: str
    exporter_s: float
    libvirtd_s: float
    qemu_s: float
    answer_s: float
    series: int
    resident_mib: float

    @property
    def all_s(self) -> float:
        return self.exporter_s + self.libvirtd_s + self.qemu_s

    @property
    def core(self) -> float:
        return self.exporter_s / INTERVAL_S


def measure(name: str, command: Sequence[str], port: int, libvirt: PrivateLibvirt, scrapes: int) -> Measured:
    """Start an exporter, let it settle over two scrapes, and measure the next ones."""
    with _running(command, libvirt) as process:
        text = _scrape(port, patience_s=30)
        _scrape(port)
        begun = [cpu_s(pids) for pids in ([process.pid], [libvirt.pid], libvirt.guests)]
        answer_s = 0.0
        for _ in range(scrapes):
            time.sleep(0.1)
            at = time.perf_counter()
            text = _scrape(port)
            answer_s += time.perf_counter() - at
        time.sleep(0.2)
        ended = [cpu_s(pids) for pids in ([process.pid], [libvirt.pid], libvirt.guests)]
        own_s, daemon_s, qemu_s = ((after - before) / scrapes for before, after in zip(begun, ended, strict=True))
        series = sum(line.startswith("libvirt_") for line in text.splitlines())
        return Measured(name, own_s, daemon_s, qemu_s, answer_s / scrapes, series, _resident_mib(process.pid))


@contextlib.contextmanager
def _running(command: Sequence[str], libvirt: PrivateLibvirt) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=libvirt.log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _scrape(port: int, patience_s: float = 0) -> str:
    """As Prometheus 2.42 asks."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=AS_PROMETHEUS)
    end = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                body = answer.read()
                packed = answer.headers.get("Content-Encoding") == "gzip"
                return (gzip.decompress(body) if packed else body).decode()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds of processes until now, to 10 ms each."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(of[11]) + int(of[12]) for of in fields) / TICKS_S


def _resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.exporter", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--guests", type=int, default=GUESTS, help=f"default: {GUESTS}")
    parser.add_argument("--scrapes", type=int, default=SCRAPES, help=f"of each exporter; default: {SCRAPES}")
    parser.add_argument("--peer", action="append", default=[], metavar="COMMAND", help="another exporter")
    parser.add_argument("--check", action="store_true", help="exit 1 if the exporter misses its limit")
    arguments = parser.parse_args(argv)
    python = [sys.executable, "-m"]
    with PrivateLibvirt(arguments.guests) as libvirt:
        rows = []
        for name, words in (
            (OURS, [*python, "watari", "exporter", "--uri", "{uri}", "--listen", "127.0.0.1:{port}"]),
            (NAIVE, [*python, "benchmarks.naive_exporter", "{uri}", "{port}"]),
            *((Path(shlex.split(peer)[0]).name, shlex.split(peer)) for peer in arguments.peer),
        ):
            if shutil.which(words[0]) is None:
                print(f"{words[0]} is not installed here: not measured")
                continue
            port = _free_port()
            values = {"uri": libvirt.uri, "socket": str(libvirt.socket), "driver": DRIVER, "port": port}
            command = [word.format_map(values) for word in words]
            rows.append(measure(name, command, port, libvirt, arguments.scrapes))
        _show(Console(width=130), rows, arguments)
    return int(arguments.check and rows[0].core > LIMIT)


def _show(console: Console, rows: list[Measured], arguments: argparse.Namespace) -> None:
    machine = f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    table = Table(
        title=f"{arguments.guests} guests, a scrape every {INTERVAL_S:.0f} s; {machine}", title_justify="left"
    )
    table.add_column("")
    for heading in (
        "CPU ms",
        "of a core",
        "x ours",
        "libvirtd ms",
        "QEMU ms",
        "all, x ours",
        "answer ms",
        "series",
        "MiB",
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        times = (f"{1e3 * s:.1f}" for s in (row.libvirtd_s, row.qemu_s))
        figures = (f"{row.all_s / rows[0].all_s:.1f}", f"{row.answer_s * 1e3:.0f}", f"{row.series:,}")
        own = (f"{1e3 * row.exporter_s:.1f}", f"{row.core:.2%}", f"{row.exporter_s / rows[0].exporter_s:.1f}")
        table.add_row(row.name, *own, *times, *figures, f"{row.resident_mib:.0f}")
    console.print(table)
    met = "met" if rows[0].core <= LIMIT else "MISSED"
    console.print(f"limit of our own, {LIMIT:.0%} of a core at {INTERVAL_S:.0f} s: {met}")


if __name__ == "__main__":
    sys.exit(main())
