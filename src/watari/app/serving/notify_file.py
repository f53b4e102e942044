"""A file of targets that people edit while a controller tells them."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from watari.app.notify.targets import WORDS, Target, parse_targets
from watari.app.serving.policy_file import Followed
from watari.errors import BadInput
from watari.model.reasons import Finding
from watari.policy.document import read_file


@dataclass(slots=True)
class NotifyFile(Followed[tuple[Target, ...]]):
    """The targets of `--notify FILE`; without a file there are none, and nothing is followed."""

    what: ClassVar[str] = "the list of targets"

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.value

    def read(self) -> tuple[str, str]:
        return ("", "") if self.ref is None else read_targets(self.ref)

    def parse(self, text: str, source: str) -> tuple[Target, ...]:
        return () if self.ref is None else parse_targets(text, source)

    def findings(self, cloud: str) -> tuple[Finding, ...]:
        """What is wrong with the file, and with the files of secrets that it names."""
        found = []
        if self.problem:
            text = f"cannot be read, the targets as they were stay in force: {self.problem}"
            cure = "Mend the file: it is read again within seconds."
            found.append(Finding(self.text[1], "notify-broken", text, "error", cure))
        lacking = ((target.name, _lacks(target)) for target in self.targets if target.looks_at(cloud))
        cure = "Put it there: it is read anew for each message."
        found += [Finding(name, "notify-broken", why, "error", cure) for name, why in lacking if why]
        return tuple(found)


def read_targets(path: str) -> tuple[str, str]:
    """The text of a file of targets, and its source. Raises BadInput."""
    try:
        return read_file(Path(path), WORDS), path
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; describe in it who is told, such as {WORDS.such_as}") from None


def _lacks(target: Target) -> str:
    try:
        target.address()
        target.key()
    except BadInput as e:
        return str(e)
    return ""
