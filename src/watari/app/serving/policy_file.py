"""A policy that people edit while a controller works by it."""

import logging
import time
from dataclasses import dataclass, field

from watari.errors import BadInput
from watari.model.reasons import Finding
from watari.policy.load import parse_policy, policy_text
from watari.policy.values import Policy

log = logging.getLogger(__name__)
SETTLE_S = 2.0  # a file that changed less long ago may be half written


@dataclass(slots=True)
class PolicyFile:
    """A shipped policy or a file, read again at every look; the last text that could be read counts.

    Making one raises BadInput for a policy that is wrong from the beginning.
    """

    ref: str | None
    text: tuple[str, str] = field(init=False)  # and its source
    policy: Policy = field(init=False)
    problem: str = field(init=False, default="")
    _seen: tuple[str, str] = field(init=False)
    _seen_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self.text = self._seen = policy_text(self.ref)
        self.policy = parse_policy(*self.text)

    def look(self) -> None:
        """Read it again. What is wrong with it then is the `problem`, and the policy stays as it was.

        A change counts once it was read twice, SETTLE_S apart: editors write in pieces.
        """
        try:
            text = policy_text(self.ref)
            if text != self._seen:
                self._seen, self._seen_at = text, time.monotonic()
            if time.monotonic() - self._seen_at >= SETTLE_S:
                self._follow(text)
        except BadInput as e:
            if str(e) != self.problem:
                log.warning("%s\nthe policy as it was stays in force", e)
            self.problem = str(e)

    @property
    def settling(self) -> bool:
        """It has just changed: what it will say is not known yet, so nothing is decided under the old text."""
        return time.monotonic() - self._seen_at < SETTLE_S

    def findings(self) -> tuple[Finding, ...]:
        """The problem, for people."""
        if not self.problem:
            return ()
        cure = "Mend the file: it is read again within seconds."
        text = f"cannot be read, the policy as it was ({self.policy.digest}) stays in force: {self.problem}"
        return (Finding(self.text[1], "policy-broken", text, "error", cure),)

    def _follow(self, text: tuple[str, str]) -> None:
        if text != self.text:
            if not text[0].strip():
                raise BadInput(f"{text[1]}: is empty; for the default policy write its name: name: default")
            self.policy, self.text = parse_policy(*text), text
            log.warning("%s has changed and is followed from now on", text[1])
        self.problem = ""
