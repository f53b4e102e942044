"""OpenStack Watcher as a contender: its environment under `.bench/`, and one run in it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.cluster import Cluster, write_json
from benchmarks.contender import Absent, Answer

VERSION = "17.0.0"  # pinned, so that figures of different days are of the same Watcher
SCRIPT = Path(__file__).with_name("watcher_run.py")

Scope = Literal["cloud", "zone"]


@dataclass(frozen=True, slots=True)
class Watcher:
    """An installed python-watcher; `python` is the interpreter that has it."""

    python: Path
    work: Path

    def plan(self, cluster: Cluster, seed: int, scope: Scope, limit_s: float) -> Answer:
        """Let workload_stabilization plan, in one audit or one per zone. Absent if it fails or takes over `limit_s`."""
        path = self.work / "watcher-cluster.json"
        write_json(cluster, path)
        command = [str(self.python), str(SCRIPT), str(path), str(seed), scope]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise Absent(f"Watcher was stopped after {limit_s:.0f} s without a plan") from None
        except subprocess.CalledProcessError as error:
            raise Absent(f"Watcher failed: {last_line(error.stderr)}") from error
        answer = json.loads(done.stdout)
        return Answer(answer["cpu_s"], tuple(answer["placement"]), answer["metric_queries"])


def prepare(bench: Path) -> Watcher:
    """Make the environment on first use: a venv under `bench` with python-watcher from PyPI. Absent if that fails."""
    home = bench / "watcher"
    python = home / "bin" / "python"
    installed = home / f"installed-{VERSION}"
    if not installed.exists():
        print(f"== making {home}: python-watcher {VERSION} from PyPI (once; about a minute)", flush=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(home)], [*pip, f"python-watcher=={VERSION}"]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Absent(f"python-watcher cannot be installed: {last_line(done.stderr or done.stdout)}")
        installed.touch()
    return Watcher(python, bench)


def last_line(text: str) -> str:
    """The last line that says something: where pip, apt and tracebacks put what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")
