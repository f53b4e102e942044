"""The lab that the tests share: installed and started once per run of pytest, with the time that each part took."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from watari.errors import BadInput

if TYPE_CHECKING:
    from watari.lab.lab import Lab

WANTED = os.environ.get("WATARI_TEST_LAB") == "1"
KEPT = os.environ.get("WATARI_KEEP_LAB") == "1"
AS_IS = os.environ.get("WATARI_LAB_AS_IS") == "1"  # while writing tests: the lab as the last run left it
COMPUTES = 14  # seven in each of two zones: the contract needs that many in one
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


def folder() -> Path:
    """`$WATARI_LAB_DIR`, else `.lab` beside the sources."""
    named = os.environ.get("WATARI_LAB_DIR")
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / ".lab"


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> "Iterator[Lab]":
    """A lab as new, that runs. With WATARI_KEEP_LAB=1 it goes on running; software and template stay in any case."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert terminal is not None
    assert capture is not None

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.write_line(line)

    phases = Phases(write)
    lab = opened(folder(), phases.say)
    (lab.up if AS_IS else lab.reset)()
    phases.begin("tests")
    try:
        yield lab
    finally:
        phases.begin("stop")
        if not KEPT:
            lab.down()
        phases.end()


def opened(root: Path, say: Callable[[str], None]) -> "Lab":
    """The lab of that folder, or the description of a new one. Raises BadInput for one that is too small."""
    from watari.lab.lab import Lab  # half a second that the other tests need not wait for
    from watari.lab.paths import LabPaths
    from watari.lab.spec import LabSpec

    if not LabPaths(root).description.exists():
        return Lab(LabSpec(root, COMPUTES, base_port=BASE_PORT), say)
    lab = Lab.open(root, say)
    if lab.spec.computes < COMPUTES or lab.spec.zones != 2:
        raise BadInput(f"the lab in {root} is not for tests: they need {COMPUTES} hosts; name another WATARI_LAB_DIR")
    return lab
