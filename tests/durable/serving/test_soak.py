"""A day in a minute: whatever goes wrong meanwhile, nothing leaks, nothing is lost, and in the end all is calm."""

import random
import re
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from durable.filed_cloud import make
from durable.rig import copied
from durable.serving.controller_process import Controller, Serving
from durable.serving.metered_cloud import POLICY, MeteredCloud
from watari.act.durable.leading import last_seen
from watari.act.durable.records import list_runs
from watari.act.durable.stops import all_stops, lift_stop, set_stop
from watari.act.durable.store import Store

DAY_S = 24 * 3600.0
WALL_S = 60.0
HOSTS = [f"h{i}" for i in range(6)]
SERVERS = {f"s{i:02}": f"h{i % 6}" for i in range(36)}
SEED = 11
MOST_GROWTH_MB = 25.0  # over the last two thirds of the day, while a leak of 1 KB a look would be several times that
CHANGES = ("away", "lost", "refused", "fails", "never", "ignored")


@dataclass(slots=True)
class Process:
    """What a process takes, as the kernel says."""

    pid: int
    readings: list[tuple[float, int, int]] = field(default_factory=list)  # MB, threads, open files

    def read(self) -> None:
        status = Path(f"/proc/{self.pid}/status").read_text()
        mb = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
        threads = int(re.findall(r"Threads:\s+(\d+)", status)[0])
        self.readings.append((mb, threads, len(list(Path(f"/proc/{self.pid}/fd").iterdir()))))

    def between(self, begin: float, end: float, column: int) -> float:
        """The median of a column over a part of the day, 0-1."""
        n = len(self.readings)
        return statistics.median(r[column] for r in self.readings[int(begin * n) : int(end * n)])


@dataclass(slots=True)
class Day:
    """One controller with its API, and all that befalls it."""

    folder: Path
    url: str
    chance: random.Random
    cloud: MeteredCloud = field(init=False)
    store: Store = field(init=False)
    controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        make(self.folder / "cloud.db", SERVERS, HOSTS, move_s=60.0, speed=DAY_S / WALL_S)
        self.cloud, self.store = MeteredCloud(self.folder / "cloud.db"), Store(self.url)
        self.mend()
        policy = str(self.folder / "policy.yaml")
        self.controller = Controller(
            Serving(self.url, str(self.cloud.path), policy, str(self.folder / "controller.out"), api=True)
        )

    def mend(self) -> None:
        """Everything works, and nobody stops anything."""
        self.cloud.set(meter="ok")
        with self.cloud._open() as c:
            c.execute("delete from faults")
            c.execute("commit")
        (self.folder / "policy.yaml").write_text(POLICY.replace("MODE", "automatic").replace("0.3 s", "0.1 s"))
        for stop in all_stops(self.store):
            lift_stop(self.store, stop.cloud)

    def something(self) -> None:
        """Something goes wrong, changes, or is mended."""
        chance = self.chance
        if chance.random() < 0.6:
            self.mend()
        match chance.choice(("load", "load", "load", "meter", "cloud", "change", "policy", "stop", "database", "page")):
            case "load":
                self.cloud.set(wants={id: chance.choice((0.1, 0.1, 0.5, 1.0, 1.0)) for id in SERVERS})
            case "meter":
                self.cloud.set(meter=chance.choice(("away", "blind")))
            case "cloud":
                self.cloud.break_(chance.choice(("migration", "find", "locate")), "away", chance.randint(1, 5))
            case "change":
                self.cloud.break_("start", chance.choice(CHANGES), chance.randint(1, 3))
            case "policy":
                (self.folder / "policy.yaml").write_text(chance.choice(("", "detect: [", "nope: 1\n")))
            case "stop":
                set_stop(self.store, "", "soak", "for a moment", self.cloud.now())
            case "database":
                with sqlite3.connect(self.store.file, isolation_level=None, timeout=5) as c:
                    c.execute("begin immediate")
                    time.sleep(0.3)
                    c.execute("rollback")
            case "page":
                threading.Thread(target=self.visit, daemon=True).start()

    def visit(self) -> None:
        """Somebody opens the page's streams, reads, and leaves."""
        found = re.search(r"page on (http://\S+)#token=(\S+)", self.controller.out())
        assert found is not None
        headers = {"Authorization": f"Bearer {found[2]}"}
        with httpx.Client(base_url=found[1], headers=headers, trust_env=False, timeout=5) as client:
            for path in ("/v1/events", "/v1/clouds/filed/events"):
                try:
                    with client.stream("GET", path) as response:
                        next(response.iter_text())
                except httpx.HTTPError:
                    return
            client.get("/v1/plans")
            client.get("/v1/clouds/filed/state")

    def is_calm(self) -> bool:
        (seen,) = last_seen(self.store)
        sees = seen.alive and seen.body["trouble"] == "" and seen.body["starved"] == 0
        return sees and not self.cloud.flights() and not list_runs(self.store, only_open=True)


@pytest.fixture
def day(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path / "state"))
    with ExitStack() as stack:
        one = Day(tmp_path, copied(template, tmp_path), random.Random(SEED))
        stack.callback(one.store.close)
        stack.callback(one.controller.kill)
        yield one


def test_a_day_of_random_faults_leaks_nothing_and_ends_calm(day: Day) -> None:
    pid = day.controller.process.pid
    assert pid is not None
    while "looking after it" not in day.controller.out():
        time.sleep(0.1)
        assert day.controller.process.is_alive(), day.controller.out()
    process, began = Process(pid), time.monotonic()
    while time.monotonic() - began < WALL_S:
        day.something()
        assert day.controller.process.is_alive(), day.controller.out()
        process.read()
        time.sleep(day.chance.uniform(0.1, 0.8))
    day.mend()
    day.cloud.set(wants=dict.fromkeys(SERVERS, 0.5))
    until = time.monotonic() + 60
    while not day.is_calm():
        assert time.monotonic() < until, (list_runs(day.store, only_open=True), day.controller.out()[-2000:])
        time.sleep(0.1)
    growth = process.between(0.8, 1.0, 0) - process.between(0.25, 0.4, 0)
    print(f"{len(process.readings)} readings; grew by {growth:.1f} MB; {len(day.cloud.moves())} moves")
    assert growth < MOST_GROWTH_MB, process.readings[:: len(process.readings) // 20]
    for column in (1, 2):
        assert process.between(0.8, 1.0, column) <= process.between(0.25, 0.4, column) + 8, process.readings
    assert_no_server_in_two_moves(day)
    assert len(day.cloud.moves()) >= 10, "the day was too calm to tell anything"
    assert day.controller.end() == 0


def assert_no_server_in_two_moves(day: Day) -> None:
    by_server: dict[str, list[tuple[float, float]]] = {}
    for server, _, _, begin, end in day.cloud.moves():
        by_server.setdefault(server, []).append((begin, end))
    for server, spans in by_server.items():
        for (_, end), (begin, _) in pairwise(sorted(spans)):
            assert begin >= end, f"{server} was moved while it moved"
