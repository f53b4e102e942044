"""Ask a command of the operator's whether a host's disks may go away: exit code 0 is yes, else it says why not."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from watari.model.compute import HostName

PLACE = "{host}"  # stands for the host's name in the command's words
PATIENCE_S = 30.0
LONGEST_WHY = 300  # characters


@dataclass(frozen=True, slots=True)
class StorageHook:
    """Storage as one command knows it. Whatever keeps the command from answering counts as "no".

    `command`: the program and its arguments, without a shell; `{host}` in them is the host's name. It gets nothing on
    standard input and `patience_s` to answer.
    """

    command: Sequence[str]
    patience_s: float = PATIENCE_S

    def why_not_stop(self, host: HostName) -> str:
        """Why the disks of `host` must not go away now; empty if they may."""
        words = [word.replace(PLACE, host) for word in self.command]
        try:
            ended = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=self.patience_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{words[0]} gave no answer within {self.patience_s:.0f} s"
        except (OSError, ValueError) as error:  # ValueError: a NUL in a word
            return f"{words[0]} cannot be run: {getattr(error, 'strerror', None) or error}"
        if ended.returncode == 0:
            return ""
        said = ended.stdout.decode("utf-8", "replace").strip().splitlines()
        return said[0].strip()[:LONGEST_WHY] if said else f"{words[0]} ended with exit code {ended.returncode}"

    def quiesce(self, host: HostName) -> None:
        """Nothing to tell: the command only answers questions."""

    def resume(self, host: HostName) -> None:
        """Nothing to tell: the command only answers questions."""
