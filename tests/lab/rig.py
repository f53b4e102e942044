"""The lab that the tests share: installed and started once per run of them, with the time that each part took."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import broken
from lab.broken import folder
from watari.errors import BadInput

if TYPE_CHECKING:
    from watari.lab.lab import Lab

WANTED = os.environ.get("WATARI_TEST_LAB") == "1"
KEPT = os.environ.get("WATARI_KEEP_LAB") == "1"
SHARED = "WATARI_LAB_SHARED"  # in the environment of a group whose lab somebody else starts and stops
SHARED_BY_GROUPS = os.environ.get(SHARED) == "1"
AS_IS = os.environ.get("WATARI_LAB_AS_IS") == "1"  # while writing tests: the lab as the last run left it
COMPUTES, ZONES = 28, 4  # seven in each zone: the contract needs that many in one
BASE_PORT = 23400

# A line of the lab that begins so begins a phase; the last one ends when everything is up.
_PHASES = (("installing", "install"), ("making the databases", "template"), ("template ", "start"))


class Phases:
    """Tells what the lab does, and how long each phase took."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._began = time.monotonic()
        self._now = "start"
        self.seconds: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Take a line of the lab's own."""
        self._write(f"lab: {line}")
        for words, phase in _PHASES:
            if line.startswith(words) and phase != self._now:
                self.begin(phase)

    def begin(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._began
        self._now, self._began = phase, now

    def end(self) -> None:
        self.begin("")
        spent = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in self.seconds.items() if seconds >= 0.5)
        self._write(f"lab: {spent}")


def start(phases: Phases) -> None:
    """A lab as new. Raises what the lab raises."""
    lab = opened(folder(), phases.say)
    (lab.up if AS_IS else lab.reset)()
    phases.begin("tests")


def stop(phases: Phases) -> None:
    """With WATARI_KEEP_LAB=1 it goes on running; software and template stay in any case."""
    phases.begin("stop")
    if not KEPT:
        opened(folder(), phases.say).down()
    phases.end()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> "Iterator[Lab]":
    """The lab, which runs."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert terminal is not None
    assert capture is not None

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.write_line(line)

    phases = Phases(write)
    if not SHARED_BY_GROUPS:
        broken.forget()
        start(phases)
    try:
        yield opened(folder(), phases.say)
    finally:
        if not SHARED_BY_GROUPS:
            stop(phases)


def opened(root: Path, say: Callable[[str], None]) -> "Lab":
    """The lab of that folder, or the description of a new one. Raises BadInput for one that is too small."""
    from watari.lab.lab import Lab  # half a second that the other tests need not wait for
    from watari.lab.paths import LabPaths
    from watari.lab.spec import LabSpec

    if not LabPaths(root).description.exists():
        return Lab(LabSpec(root, COMPUTES, ZONES, BASE_PORT), say)
    lab = Lab.open(root, say)
    if (lab.spec.computes, lab.spec.zones) != (COMPUTES, ZONES):
        raise BadInput(
            f"the lab in {root} is not for tests, which need {COMPUTES} hosts in {ZONES} zones; "
            "name another WATARI_LAB_DIR, or remove the folder"
        )
    return lab
