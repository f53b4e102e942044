"""The controller on the lab's real OpenStack, by itself, under a load that changes: starved server-minutes beside those
of the same load with nothing moved."""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from watari.drivers.sim.contention import contend
from watari.lab.counters import Guest, where_they_are
from watari.lab.exporter import read_guests
from watari.lab.lab import Lab
from watari.lab.measured import wait_for_metrics
from watari.lab.paths import default_dir, write_json
from watari.policy.load import parse_policy

LIMIT = 0.10  # of the minutes with nothing moved: Watari's own
MINUTES = 30.0
STEP_S = 2.0
PERIOD_S = 600.0  # of the wave that demand follows: three peaks in half an hour, roles within minutes of each other
POLICY = """
name: lab-loop
detect: {hold_rounds: 1, smoothing: 0 s}
calm: {cool_down: 3 min}
look_ahead: {horizon: 0 s}
serve: {every: 5 s, balance: automatic}
"""

EPILOG = """The lab has to run (make lab), best anew (watari lab reset): two hosts begin overloaded then. Every server
asks for a share of its vCPUs that follows a wave of its role, with noise, so that hosts whose servers peak starve
them for minutes. `watari serve` looks after the lab meanwhile and nobody decides anything. Starved: over both
thresholds of the policy, by the lab's own model of who gets what, every 2 s; once where the servers are, and once
where they were at the beginning.

exit code: 0; with --check 1 if the limit was missed
"""


@dataclass(slots=True)
class Watch:
    """What has been counted so far."""

    lab: Lab
    ids: list[str]
    vcpus: NDArray[np.float64]
    home: NDArray[np.intp]
    starved_min: float = 0.0
    shadow_min: float = 0.0
    steps: int = 0
    seen: set[tuple[str, str, float]] = field(default_factory=set)

    @classmethod
    def begin(cls, lab: Lab) -> "Watch":
        guests = cls.guests(lab)
        ids = sorted(guests)
        hosts = {name: i for i, name in enumerate(lab.spec.hosts)}
        home = np.array([hosts[guests[id].host] for id in ids], np.intp)
        return cls(lab, ids, np.array([float(guests[id].vcpus) for id in ids]), home)

    @staticmethod
    def guests(lab: Lab) -> dict[str, Guest]:
        return where_they_are([g for g in read_guests(lab.paths, lab.spec.hosts) if g.runs])

    def count(self, cores: NDArray[np.float64], seconds: float, steal: float, load: float) -> tuple[int, int]:
        """Count a step; returns how many starve now, and how many would."""
        hosts, guests = {name: i for i, name in enumerate(self.lab.spec.hosts)}, self.guests(self.lab)
        at = self.home.copy()  # of a server that is between two hosts' files
        for i, id in enumerate(self.ids):
            at[i] = hosts[guests[id].host] if id in guests else at[i]
        self.seen |= {(id, g.host, g.since) for id, g in guests.items()}
        counts = []
        for where in (at, self.home):
            threads = np.full(len(hosts), float(self.lab.spec.host.threads))
            shared = contend(cores, self.vcpus, where, threads, np.zeros(len(hosts)))
            counts.append(int(((shared.steal >= steal) & (shared.load_per_vcpu >= load)).sum()))
        self.starved_min += counts[0] * seconds / 60
        self.shadow_min += counts[1] * seconds / 60
        self.steps += 1
        return counts[0], counts[1]

    @property
    def moves(self) -> int:
        """How often a server has appeared on another host."""
        return len(self.seen) - len(self.ids)


def demand(roles: Sequence[str], vcpus: NDArray[np.float64], at_s: float, chance: random.Random) -> NDArray[np.float64]:
    """What servers ask for, in cores."""
    kinds = sorted(set(roles))
    share = []
    for role in roles:
        n = kinds.index(role)
        wave = math.sin(2 * math.pi * at_s / PERIOD_S + 0.35 * n)
        share.append(min(0.97, max(0.05, 0.55 + 0.42 * wave + chance.gauss(0, 0.02))))
    return np.array(share) * vcpus


def run(lab: Lab, minutes: float, console: Console) -> Watch:
    """Let the load change, and count."""
    policy = parse_policy(POLICY, "lab-loop.yaml").detect
    watch, chance = Watch.begin(lab), random.Random(7)
    guests = Watch.guests(lab)
    roles = [guests[id].metadata.get("role", "") for id in watch.ids]
    begun = last = time.monotonic()
    told = 0.0
    while (at := time.monotonic() - begun) < 60 * minutes:
        cores = demand(roles, watch.vcpus, at, chance)
        write_json(lab.paths.demand, dict(zip(watch.ids, cores.tolist(), strict=True)))
        time.sleep(STEP_S)
        now = time.monotonic()
        starved, shadow = watch.count(cores, now - last, policy.steal, policy.load_per_vcpu)
        last = now
        if at >= told:
            told += 60
            console.print(
                f"{at / 60:5.1f} min  starved {starved:2} (nothing moved: {shadow:2})  so far {watch.starved_min:6.1f} "
                f"of {watch.shadow_min:6.1f} min  {watch.moves} moves"
            )
    return watch


def main(argv: Sequence[str] | None = None) -> int:
    """Serve, change the load, print the table."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.lab_loop", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=default_dir(), help="the lab's folder")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    parser.add_argument("--check", action="store_true", help="exit 1 if the limit was missed")
    arguments = parser.parse_args(argv)
    console, lab = Console(width=110), Lab.open(arguments.dir)
    wait_for_metrics(lab.spec, console.print)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "policy.yaml").write_text(POLICY)
        env = os.environ | lab.cloud_environment | {"WATARI_STATE_DIR": folder}
        words = ["serve", "--cloud", "lab", "--policy", f"{folder}/policy.yaml", "--database", f"{folder}/runs.db"]
        with (Path(folder) / "serve.log").open("w") as log:
            child = subprocess.Popen([sys.executable, "-m", "watari", *words], env=env, stdout=log, stderr=log)
            try:
                watch = run(lab, arguments.minutes, console)
            finally:
                child.terminate()
                child.wait(120)
                lab.paths.demand.unlink(missing_ok=True)
        console.print((Path(folder) / "serve.log").read_text()[-2000:], markup=False)
    ratio = watch.starved_min / watch.shadow_min if watch.shadow_min else math.nan
    table = Table(title=f"{arguments.minutes:g} minutes of watari serve, automatic, on {len(lab.spec.hosts)} hosts")
    for name in ("", "starved server-minutes"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("nothing moved", f"{watch.shadow_min:.1f}")
    table.add_row(f"watari serve, {watch.moves} moves", f"{watch.starved_min:.1f}")
    table.add_row("ratio", f"{ratio:.3f}")
    table.add_row("limit", f"{LIMIT:.3f}")
    console.print(table)
    console.print(json.dumps({"starved": watch.starved_min, "shadow": watch.shadow_min, "moves": watch.moves}))
    return int(arguments.check and not ratio <= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
