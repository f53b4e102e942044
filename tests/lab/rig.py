"""The lab that the tests share: installed and started once per run of pytest, with the time that each part took.

The process that the user started starts and stops it; the ones among which the tests are shared out find it running.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from watari.errors import BadInput, WatariError

if TYPE_CHECKING:
    from watari.lab.lab import Lab

WANTED = os.environ.get("WATARI_TEST_LAB") == "1"
KEPT = os.environ.get("WATARI_KEEP_LAB") == "1"
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


def folder() -> Path:
    """`$WATARI_LAB_DIR`, else `.lab` beside the sources."""
    named = os.environ.get("WATARI_LAB_DIR")
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / ".lab"


def started(config: pytest.Config) -> Phases:
    """Start a lab as new. Ends the run of pytest, in words, if that does not work."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    assert terminal is not None
    phases = Phases(terminal.write_line)
    try:
        lab = opened(folder(), phases.say)
        (lab.up if AS_IS else lab.reset)()
    except WatariError as e:
        pytest.exit(f"the lab does not start: {e}", returncode=1)
    phases.begin("tests")
    return phases


def stopped(phases: Phases) -> None:
    """With WATARI_KEEP_LAB=1 it goes on running; software and template stay in any case."""
    phases.begin("stop")
    if not KEPT:
        opened(folder(), phases.say).down()
    phases.end()


@pytest.fixture(scope="session")
def lab() -> "Lab":
    """The lab, which runs."""
    return opened(folder(), lambda _: None)


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
