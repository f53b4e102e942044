"""`python -m lab [pytest's options]`: all tests on the lab, its groups side by side, each in a process of its own.

Every line says whose it is. Exit code 0 if all of them passed. The lab is started before and stopped after.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import broken, rig
from lab.parts import CONTRACT, FAULTS, MODULES, PARTS
from watari.errors import WatariError

NOTHING = int(pytest.ExitCode.NO_TESTS_COLLECTED)
TESTS = Path(__file__).parents[1]
QUIET = ("-v", "--tb=short", "--no-header", "-p", "no:xdist", "-p", "no:cacheprovider", "-W", "ignore")


def main(options: Sequence[str]) -> int:
    broken.forget()
    phases = rig.Phases(lambda line: say("lab", line.removeprefix("lab: ")))
    running: list[Group] = []
    try:
        rig.start(phases)
        codes = []
        for alone in (True, False):
            running = [Group(name, [*words, "-m", mark(alone)], options) for name, words in groups(alone).items()]
            codes += [group.wait() for group in running]
        ran = [code for code in codes if code != NOTHING]  # of a choice by -k some groups have nothing
        return max(ran, default=NOTHING)
    except WatariError as e:
        say("lab", str(e))
        return 1
    finally:
        for group in running:
            group.end()
        rig.stop(phases)


def groups(alone: bool) -> dict[str, list[str]]:
    """What each group runs, in pytest's words. First those tests that stop what all others need."""
    modules = {
        name: [str(TESTS / "lab" / module) for module, part in MODULES.items() if part.name == name] for name in PARTS
    }
    return {FAULTS.name: modules[FAULTS.name]} if alone else {**modules, CONTRACT: [str(TESTS / "contract")]}


def mark(alone: bool) -> str:
    return "alone" if alone else "not alone"


class Group:
    """One group, at work."""

    def __init__(self, name: str, words: Sequence[str], options: Sequence[str]) -> None:
        self.name, self._began = name, time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pytest", *QUIET, *words, *options], text=True, errors="replace",
            cwd=TESTS.parent, env={**os.environ, rig.SHARED: "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait(self) -> int:
        """Its exit code."""
        code = self._process.wait()
        self._reader.join()
        say(self.name, f"ended with {code} after {time.monotonic() - self._began:.0f} s")
        return abs(code)

    def end(self) -> None:
        """Ctrl-C, unless it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip():
                say(self.name, line.rstrip())


def say(who: str, line: str) -> None:
    sys.stdout.write(f"{who:<8} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
