"""A policy that people edit while a controller works by it."""

import logging
from dataclasses import dataclass, field

from watari.errors import BadInput
from watari.model.reasons import Finding
from watari.policy.load import parse_policy, policy_text
from watari.policy.values import Policy

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PolicyFile:
    """A shipped policy or a file, read again at every look; the last text that could be read counts.

    Making one raises BadInput for a policy that is wrong from the beginning.
    """

    ref: str | None
    text: tuple[str, str] = field(init=False)  # and its source
    policy: Policy = field(init=False)
    problem: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.text = policy_text(self.ref)
        self.policy = parse_policy(*self.text)

    def look(self) -> None:
        """Read it again. What is wrong with it then is the `problem`, and the policy stays as it was."""
        try:
            text = policy_text(self.ref)
            if text != self.text:
                self.policy, self.text = parse_policy(*text), text
                log.warning("%s has changed: %s is followed from now on", text[1], self.policy.digest)
            self.problem = ""
        except BadInput as e:
            if str(e) != self.problem:
                log.warning("%s\nthe policy as it was (%s) stays in force", e, self.policy.digest)
            self.problem = str(e)

    def findings(self) -> tuple[Finding, ...]:
        """The problem, for people."""
        if not self.problem:
            return ()
        cure = "Mend the file: it is read again at the next look."
        text = f"cannot be read, the policy as it was ({self.policy.digest}) stays in force: {self.problem}"
        return (Finding(self.text[1], "policy-broken", text, "error", cure),)
