"""What the HTTP API holds: reads at a steady rate and open event streams, while the controller looks at its cloud."""

import argparse
import asyncio
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import loads
from benchmarks.cluster import generate
from benchmarks.serve import Ready
from benchmarks.watari_run import peak_memory_mb, snapshot_of
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.reconciler import Reconciler
from watari.web.api.served import Settings, served

RATE, STREAMS, P99_MS = 500, 200, 200.0  # Watari's own limits
SECONDS = 30.0
LOOK_S = 5.0  # a dozen times as often as by default
CONNECTIONS = 32
CLOUD = "bench"
POLICY = "detect: {hold_rounds: 2}\nserve: {balance: approve}\n"
PATHS = [f"/v1/clouds/{CLOUD}", f"/v1/clouds/{CLOUD}/findings", f"/v1/clouds/{CLOUD}/servers/SERVER"]
PATHS += ["/v1/clouds", "/v1/plans", "/v1/runs?open=true", "/v1/stops", "/v1/me"]
STREAM_PATHS = ("/v1/events", f"/v1/clouds/{CLOUD}/events")

EPILOG = """A controller with 1,000 servers looks at them every 5 s, plans (a fifth of the hosts is over capacity) and
publishes the live picture; another process on the same machine reads at a steady rate over 32 connections, of eight
routes in turn, and keeps the streams open, half of them live pictures. A latency counts from when the request was due,
so a stall is in it.

exit code: 0; with --check 1 if a limit was missed
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader saw: latencies in ms, answers that were none, events that came on the streams."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    events: int
    quiet: int  # streams on which nothing came


def serve(hosts: int, servers: int) -> None:
    """The controller and its API, until its standard input is closed; says where it is."""
    cloud = Ready(snapshot_of(generate(hosts, servers, 1, loads.synthetic())))
    cloud.name = CLOUD
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WATARI_STATE_DIR"] = folder
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        store, file = Store(str(Path(folder) / "runs.db")), PolicyFile(str(policy))
        lease = Lease(store)
        lease.take()
        place = Place(store, lease, CLOUD)
        place.hold()
        reconciler = Reconciler(place, cloud, file, lambda run: None)
        ended = threading.Event()
        with served(store, {CLOUD: file}, Settings("127.0.0.1", 0, rate="100000/second")) as (url, seen):
            reconciler.look()
            seen(reconciler)
            print(json.dumps({"url": url, "server": min(cloud.base.servers)}), flush=True)
            threading.Thread(target=_until_closed, args=(ended,), daemon=True).start()
            looks, cpu = 0, time.process_time()
            while not ended.wait(LOOK_S):
                reconciler.look()
                seen(reconciler)
                looks += 1
            spent = time.process_time() - cpu
        print(json.dumps({"looks": looks, "cpu_s": spent, "mb": peak_memory_mb()}), flush=True)
        lease.release()
        store.close()


def _until_closed(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


async def read(url: str, server: str, rate: int, streams: int, seconds: float) -> Seen:
    """Ask at a steady rate, and listen."""
    address, _, token = url.partition("#token=")
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    heard = [0] * streams
    opened = asyncio.Barrier(streams + 1)
    listening = [asyncio.create_task(_listen(host, int(port), head, heard, n, opened)) for n in range(streams)]
    await opened.wait()
    due: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    took: list[float] = []
    failed = [0]
    asking = [asyncio.create_task(_ask(host, int(port), head, due, took, failed)) for _ in range(CONNECTIONS)]
    paths = [path.replace("SERVER", server) for path in PATHS]
    begun = time.perf_counter()
    for n in range(int(rate * seconds)):
        at = begun + n / rate
        if (rest := at - time.perf_counter()) > 0:
            await asyncio.sleep(rest)
        due.put_nowait((at, paths[n % len(paths)]))
    for _ in asking:
        due.put_nowait(None)
    await asyncio.gather(*asking)
    spent = time.perf_counter() - begun
    for task in listening:
        task.cancel()
    ms = 1000 * np.array(took or [float("inf")])
    p50, p99, worst = (float(np.percentile(ms, q)) for q in (50, 99, 100))
    return Seen(len(took) + failed[0], failed[0], spent, p50, p99, worst, sum(heard), heard.count(0))


async def _ask(
    host: str,
    port: int,
    head: str,
    due: "asyncio.Queue[tuple[float, str] | None]",
    took: list[float],
    failed: list[int],
) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=2**24)
    while (one := await due.get()) is not None:
        at, path = one
        writer.write(f"GET {path} {head}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        if answer.startswith(b"HTTP/1.1 200"):
            took.append(time.perf_counter() - at)
        else:
            failed[0] += 1
    writer.close()


async def _listen(host: str, port: int, head: str, heard: list[int], n: int, opened: asyncio.Barrier) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {STREAM_PATHS[n % len(STREAM_PATHS)]} {head}".encode())
    assert b" 200 " in await reader.readline()
    await opened.wait()
    while part := await reader.read(2**16):
        heard[n] += part.count(b"event: ")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve in one process, read in another, print what was seen beside the limits."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.api", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit was missed")
    parser.add_argument("--rate", type=int, default=RATE, help=f"requests a second (default: {RATE})")
    parser.add_argument("--streams", type=int, default=STREAMS, help=f"open streams (default: {STREAMS})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"how long (default: {SECONDS:g})")
    parser.add_argument("--serve", nargs=2, type=int, metavar="N", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    if arguments.serve:
        serve(*arguments.serve)
        return 0
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.api", "--serve", "100", "1000"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    where = json.loads(child.stdout.readline())
    seen = asyncio.run(read(where["url"], where["server"], arguments.rate, arguments.streams, arguments.seconds))
    child.stdin.close()
    cost = json.loads(child.stdout.readline())
    child.wait()
    return int(not _show(Console(width=100), seen, cost, arguments) and arguments.check)


def _show(console: Console, seen: Seen, cost: dict[str, float], asked: argparse.Namespace) -> bool:
    """Print the table; whether every limit was kept."""
    rate = seen.requests / seen.seconds
    rows = [
        ("reads a second", f"{rate:.0f}", f"{asked.rate} asked for", rate / asked.rate, rate >= 0.98 * asked.rate),
        ("99 of 100 within", f"{seen.p99_ms:.1f} ms", f"{P99_MS:.0f} ms", seen.p99_ms / P99_MS, seen.p99_ms <= P99_MS),
        ("answers that failed", f"{seen.failed}", "0", float("nan"), seen.failed == 0),
        ("streams without an event", f"{seen.quiet} of {asked.streams}", "0", float("nan"), seen.quiet == 0),
    ]
    table = Table(title="The API under load, while the controller looks every 5 s at 1,000 servers")
    for name in ("", "measured", "limit", "ratio", ""):
        table.add_column(name, justify="right" if name else "left")
    for name, measured, limit, ratio, kept in rows:
        table.add_row(name, measured, limit, "" if ratio != ratio else f"{ratio:.2f}", "kept" if kept else "MISSED")
    console.print(table)
    console.print(
        f"half within {seen.p50_ms:.1f} ms, the worst {seen.worst_ms:.0f} ms; {seen.events} events on "
        f"{asked.streams} streams; {cost['looks']:.0f} looks; the controller took {cost['cpu_s'] / seen.seconds:.2f} "
        f"cores and {cost['mb']:.0f} MB; {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    console.print(json.dumps(asdict(seen)), soft_wrap=True)
    return all(kept for *_, kept in rows)


if __name__ == "__main__":
    sys.exit(main())
