"""What callers may do: rules of oslo.policy, read once when the API begins."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from watari.errors import BadInput
from watari.web.api.callers import Caller

JUDGED_S: Final = 10.0
MOST_JUDGED: Final = 10_000
_SYSTEM: Final = "system_scope:all or project_id:%(operators_project)s"
# As OpenStack's policy files say it: an administrator is one of the whole cloud, whatever project the token is for;
# readers and members count for the system, or for the project of the operators.
RULES: Final[dict[str, tuple[str, str]]] = {
    "read": (f"rule:watari:decide or (role:reader and ({_SYSTEM}))", "See clouds, plans, runs and findings."),
    "decide": (
        f"rule:watari:admin or (role:member and ({_SYSTEM}))",
        "Ask for plans, decide on them; stop and undo runs.",
    ),
    "stop": ("rule:watari:decide", "Set and lift the stop switch."),
    "admin": ("role:admin", "Forget clouds, read the record of changes."),
}
_REFERENCE: Final = re.compile(r"rule:([^\s()]+)")


class Rules:
    """The shipped rules, and those of a file in their place. A file that changes counts when the API begins again.

    Raises BadInput for a file that is not there, that names rules that Watari does not have, or cannot be read whole: a
    rule that is half understood could let in anybody.
    """

    def __init__(self, file: str | None = None, operators_project: str = "") -> None:
        self._operators = operators_project
        self._judged: dict[tuple[Caller, str], tuple[float, bool]] = {}
        checks = {f"watari:{name}": check for name, (check, _) in RULES.items()} | (_read(file) if file else {})
        conf = cfg.ConfigOpts()
        conf([], project="watari", default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo_policy.Enforcer(conf, use_conf=False)  # no file, and no folder of files, beside ours
        self._enforcer.set_rules(_parsed(checks, file or "the shipped rules"), overwrite=True, use_conf=False)

    def may(self, caller: Caller, what: str) -> bool:
        """Whether a caller may do one of RULES."""
        now = time.monotonic()
        known = self._judged.get((caller, what))
        if known is not None and known[0] > now:
            return known[1]
        may = self._enforced(caller, what)
        if len(self._judged) >= MOST_JUDGED:
            self._judged.clear()
        self._judged[caller, what] = now + JUDGED_S, may
        return may

    def allowed(self, caller: Caller) -> Sequence[str]:
        return [what for what in RULES if self.may(caller, what)]

    def _enforced(self, caller: Caller, what: str) -> bool:
        credentials: dict[str, Any] = {"roles": list(caller.roles), "project_id": caller.project or None}
        if caller.system:
            credentials["system_scope"] = credentials["system"] = "all"
        target = {"operators_project": self._operators or "-"}  # an empty one would fit a token without a project
        return bool(self._enforcer.enforce(f"watari:{what}", target, credentials))


def _read(file: str) -> dict[str, str]:
    """The rules of a file. Raises BadInput."""
    try:
        found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file}: there is no such file of rules") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise BadInput(f"{file}: cannot be read: {str(e).splitlines()[0]}") from None
    if not isinstance(found, dict) or not found:
        raise BadInput(f'{file}: has no rules; write some, such as "watari:stop": "role:night-shift"')
    known = {f"watari:{name}" for name in RULES}
    if unknown := sorted(str(name) for name in found if name not in known):
        raise BadInput(f"{file}: {', '.join(unknown)} is no rule of Watari; there are {', '.join(sorted(known))}")
    if wrong := [name for name, check in found.items() if not isinstance(check, str)]:
        raise BadInput(f"{file}: {wrong[0]}: a rule is a text, in quotes")
    return found


def _parsed(checks: dict[str, str], source: str) -> oslo_policy.Rules:
    """Raises BadInput for a check that cannot be understood; oslo.policy itself takes it for "nobody"."""
    try:
        rules = oslo_policy.Rules.from_dict(checks)
    except Exception as e:  # of its parser, which raises many kinds
        raise BadInput(f"{source}: {e}") from None
    for name, check in checks.items():
        if str(rules[name]) == "!" and check.strip() != "!":
            raise BadInput(f'{source}: {name}: "{check}" is no check; see the documentation of oslo.policy')
        if missing := [one for one in _REFERENCE.findall(check) if one not in checks]:
            raise BadInput(f"{source}: {name}: there is no rule {missing[0]}")
    return rules
