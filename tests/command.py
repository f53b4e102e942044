"""The `watari` command as its users run it: processes of their own, with a state directory of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Process = subprocess.Popen[str]
PATIENCE_S = 240.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of `watari apply`."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def result(self) -> dict[str, Any]:
        """The last of them, with the counts."""
        assert self.lines, self
        assert self.lines[-1]["event"] == "result", self
        return self.lines[-1]


@dataclass
class Watari:
    """Runs the command against the clouds of one clouds.yaml."""

    clouds_yaml: Path
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "WATARI_"))}
        kept["PYTHONPATH"] = str(Path(__file__).parent)  # for commands that stand for `watari`
        own = {"OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml), "WATARI_STATE_DIR": str(self.home / "state")}
        return {**kept, **own, "COLUMNS": "160", **self.extra}

    def run(self, *words: str | Path) -> Ended:
        """Run a command to its end."""
        return self.end(self.start(*words))

    def start(self, *words: str | Path, module: Sequence[str] = ("watari",)) -> Process:
        """Start a command in a process group of its own; `module` stands for `watari` and its first arguments."""
        self.home.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", *module, *map(str, words)], cwd=self.home, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    @staticmethod
    def end(process: Process, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for a command that was started. One that does not end is killed, and fails the test."""
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{process.args!r} did not end in {timeout_s:.0f} s:\n{out}\n{err}") from None
        return Ended(process.returncode, out, err)

    def table(self, *words: str | Path) -> list[dict[str, Any]]:
        """The rows of a command that lists."""
        ended = self.run(*words, "-f", "json")
        assert ended.code in (0, 3), ended
        rows: list[dict[str, Any]] = json.loads(ended.out)
        return rows

    def told(self, run: str) -> tuple[dict[str, str], dict[str, str]]:
        """What became of every operation of a run, and what is said of it, by its subject."""
        rows = self.table("runs", "show", run)
        return {row["Subject"]: row["State"] for row in rows}, {row["Subject"]: row["Note"] for row in rows}

    def journal(self, run: str) -> list[dict[str, Any]]:
        return self.table("runs", "show", run, "--journal")


@contextmanager
def ending(process: Process) -> Iterator[Process]:
    """However the test ends, the process does not outlive it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        drain(process)


def kill(process: Process) -> None:
    """kill -9, and wait until it is gone."""
    process.kill()
    drain(process)


def drain(process: Process) -> None:
    """Wait until it is gone, whatever it still writes. Harmless if that was read already."""
    with suppress(ValueError):
        process.communicate()


def until(what: str, reached: Callable[[], Any], timeout_s: float = 90.0, every_s: float = 0.5) -> Any:
    """Look until there is something to see; returns it. Fails the test after a while."""
    end = time.monotonic() + timeout_s
    while True:
        if found := reached():
            return found
        assert time.monotonic() < end, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(every_s)
