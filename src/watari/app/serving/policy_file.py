"""A policy, or another file, that people edit while a controller works by it."""

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from watari.errors import BadInput
from watari.model.reasons import Finding
from watari.policy.load import parse_policy, policy_text
from watari.policy.values import Policy

log = logging.getLogger(__name__)
SETTLE_S = 2.0  # a file that changed less long ago may be half written
T = TypeVar("T")


@dataclass(slots=True)
class Followed(ABC, Generic[T]):
    """A file, read again at every look; the last text that could be read counts.

    Making one raises BadInput for a file that is wrong from the beginning.
    """

    what: ClassVar[str] = "what it says"

    ref: str | None
    text: tuple[str, str] = field(init=False, repr=False)  # and its source
    value: T = field(init=False)
    problem: str = field(init=False, default="")
    _seen: tuple[str, str] = field(init=False, repr=False)
    _seen_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self.text = self._seen = self.read()
        self.value = self.parse(*self.text)

    @abstractmethod
    def read(self) -> tuple[str, str]:
        """The text as it is now, and its source. Raises BadInput."""

    @abstractmethod
    def parse(self, text: str, source: str) -> T:
        """What it says. Raises BadInput."""

    def look(self) -> None:
        """Read it again. What is wrong with it then is the `problem`, and the value stays as it was.

        A change counts once it was read twice, SETTLE_S apart: editors write in pieces.
        """
        try:
            text = self.read()
            if text != self._seen:
                self._seen, self._seen_at = text, time.monotonic()
            if time.monotonic() - self._seen_at >= SETTLE_S:
                self._follow(text)
        except BadInput as e:
            if str(e) != self.problem:
                log.warning("%s\n%s as it was stays in force", e, self.what)
            self.problem = str(e)

    @property
    def settling(self) -> bool:
        """It has just changed: what it will say is not known yet, so nothing is decided under the old text."""
        return time.monotonic() - self._seen_at < SETTLE_S

    def _follow(self, text: tuple[str, str]) -> None:
        if text != self.text:
            self.value, self.text = self.changed(*text), text
            log.warning("%s has changed and is followed from now on", text[1])
        self.problem = ""

    def changed(self, text: str, source: str) -> T:
        """What a changed text says. Raises BadInput."""
        return self.parse(text, source)


@dataclass(slots=True)
class PolicyFile(Followed[Policy]):
    """A shipped policy or a file."""

    what: ClassVar[str] = "the policy"

    @property
    def policy(self) -> Policy:
        return self.value

    def read(self) -> tuple[str, str]:
        return policy_text(self.ref)

    def parse(self, text: str, source: str) -> Policy:
        return parse_policy(text, source)

    def changed(self, text: str, source: str) -> Policy:
        if not text.strip():
            raise BadInput(f"{source}: is empty; for the default policy write its name: name: default")
        return self.parse(text, source)

    def findings(self) -> tuple[Finding, ...]:
        """The problem, for people."""
        if not self.problem:
            return ()
        cure = "Mend the file: it is read again within seconds."
        text = f"cannot be read, the policy as it was ({self.policy.digest}) stays in force: {self.problem}"
        return (Finding(self.text[1], "policy-broken", text, "error", cure),)
