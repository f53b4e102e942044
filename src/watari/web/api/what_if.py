"""What another policy would have done with a cloud's last days: played in a process of its own, one at a time."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watari.act.durable.store import Store
from watari.errors import BadInput, Busy, Permanent
from watari.web.api import models as m

LONGEST_S: Final = 1800.0
USAGE: Final = 2  # the command's exit code for bad input


@dataclass(slots=True)
class WhatIf:
    """Runs `watari replay`: minutes of CPU must keep neither looks nor answers waiting."""

    store: Store
    _child: "subprocess.Popen[str] | None" = None
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def play(self, cloud: str, days: float, new: str, in_force: str) -> m.Played:
        """Raises BadInput for a cloud without a history, Busy while another one is played, Permanent."""
        if not self._alone.acquire(blocking=False):
            raise Busy("another what-if is being played: ask again when it is over")
        try:
            with tempfile.TemporaryDirectory() as folder:
                files = [_written(Path(folder) / name, text) for name, text in (("new", new), ("in force", in_force))]
                return self._played(cloud, days, *files)
        finally:
            self._child = None
            self._alone.release()

    def close(self) -> None:
        """End what is being played."""
        if (child := self._child) is not None:
            child.kill()

    def _played(self, cloud: str, days: float, new: str, in_force: str) -> m.Played:
        words = ["replay", "--history", cloud, "--days", f"{days:g}", "--policy", new, "--against", in_force]
        words += ["--no-published", "-f", "json"]
        url = self.store.url.render_as_string(hide_password=False)  # in the environment: others can read a command line
        self._child = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-m", "watari", *words], env=os.environ | {"WATARI_DATABASE": url},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            out, said = self._child.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
            raise Permanent(f"it was not over after {LONGEST_S / 60:.0f} minutes: ask for fewer days") from None
        if self._child.returncode == USAGE:
            raise BadInput(said.strip().removeprefix("watari: "))
        if self._child.returncode:
            raise Permanent(f"it ended with {self._child.returncode}: {said.strip()[-500:]}")
        return m.Played(cloud=cloud, rows=json.loads(out), notes=said.splitlines())


def _written(file: Path, text: str) -> str:
    path = file.with_suffix(".yaml")
    path.write_text(text, encoding="utf-8")
    return str(path)
