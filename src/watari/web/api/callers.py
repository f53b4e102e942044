"""Who asks, and what that person may do: OpenStack's roles and rules, or one generated token on loopback."""

import hmac
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from watari.errors import BadInput, Permanent, WatariError

TOKEN_FILE: Final = "api-token"
JUDGED_S: Final = 10.0  # oslo.policy looks at its file for every question
MOST_JUDGED: Final = 10_000
OPERATORS: Final = "operators_project"
_SYSTEM: Final = "system_scope:all or project_id:%(operators_project)s"
# What may be done, as OpenStack's policy files say it: an administrator is one of the whole cloud, whatever project the
# token is for; readers and members count for the system, or for the project of the operators.
RULES: Final[dict[str, tuple[str, str]]] = {
    "read": (f"rule:decide or (role:reader and ({_SYSTEM}))", "See clouds, plans, runs and findings."),
    "decide": (f"rule:admin or (role:member and ({_SYSTEM}))", "Ask for plans, approve, reject; stop and undo runs."),
    "stop": ("rule:decide", "Set and lift the stop switch."),
    "admin": ("role:admin", "Forget clouds, read the record of changes."),
}


class Unauthorised(WatariError):
    """There is no token, or it is none of ours."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a valid token. `key` tells callers apart for their limits; it is no secret."""

    user: str
    key: str
    roles: tuple[str, ...] = ()
    project: str = ""
    system: bool = False


class Doorkeeper(Protocol):
    """Knows callers by their request's headers."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        """At once: somebody who was let in a moment ago; None: `caller` has to be asked."""
        ...

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """May take as long as Keystone takes. Raises Unauthorised, and Transient when nobody can say just now."""
        ...


@dataclass(frozen=True, slots=True)
class LocalToken:
    """One secret for one machine: who can read the file of the user that runs the controller may do everything."""

    secret: str

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return self.caller(headers)  # it takes no time

    def caller(self, headers: Mapping[str, str]) -> Caller:
        if not (sent := token_of(headers)):
            raise Unauthorised("send the token: Authorization: Bearer TOKEN")
        if not hmac.compare_digest(sent.encode(), self.secret.encode()):
            raise Unauthorised("this is not the token of this controller: it is made anew with its file")
        return Caller("local", "local", ("admin",))


class Anybody:
    """For the demo on loopback: there is nothing to protect."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return self.caller(headers)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("you", "you", ("admin",))


class Rules:
    """OpenStack's policy rules. `file`: one of oslo.policy's, which overrides the defaults, as `watari:read: ...`."""

    def __init__(self, file: str | None = None, operators_project: str = "") -> None:
        conf = cfg.ConfigOpts()
        conf([], project="watari", default_config_files=[], default_config_dirs=[])
        self._operators = operators_project
        self._judged: dict[tuple[Caller, str], tuple[float, bool]] = {}
        self._enforcer = oslo_policy.Enforcer(conf, policy_file=file or "", use_conf=bool(file))
        for name, (check, description) in RULES.items():
            self._enforcer.register_default(
                oslo_policy.RuleDefault(f"watari:{name}", check.replace("rule:", "rule:watari:"), description)
            )
        if file is not None and not Path(file).is_file():
            raise BadInput(f"{file}: there is no such file of rules")
        try:
            self._enforcer.load_rules(force_reload=True)
            self._enforcer.check_rules(raise_on_violation=True)
        except Exception as e:  # oslo.policy and the parsers below it raise many kinds
            raise BadInput(f"{file or 'the rules'}: {e}; see `oslopolicy-validator`") from None
        if unknown := sorted(self._enforcer.file_rules.keys() - {f"watari:{name}" for name in RULES}):
            known = ", ".join(f"watari:{name}" for name in RULES)
            raise BadInput(f"{file}: {', '.join(unknown)} is no rule of Watari; there are {known}")

    def may(self, caller: Caller, what: str) -> bool:
        """Whether a caller may do one of RULES; a changed file of rules counts within JUDGED_S."""
        now = time.monotonic()
        known = self._judged.get((caller, what))
        if known is not None and known[0] > now:
            return known[1]
        may = self._enforced(caller, what)
        if len(self._judged) >= MOST_JUDGED:
            self._judged.clear()
        self._judged[caller, what] = now + JUDGED_S, may
        return may

    def _enforced(self, caller: Caller, what: str) -> bool:
        credentials: dict[str, Any] = {"roles": list(caller.roles), "project_id": caller.project or None}
        if caller.system:
            credentials["system_scope"] = credentials["system"] = "all"
        target = {OPERATORS: self._operators or "-"}  # an empty one would fit a token without a project
        return bool(self._enforcer.enforce(f"watari:{what}", target, credentials))

    def allowed(self, caller: Caller) -> Sequence[str]:
        return [what for what in RULES if self.may(caller, what)]


def token_of(headers: Mapping[str, str]) -> str:
    """The token in a request's headers (in lower case), or ""."""
    if token := headers.get("x-auth-token", ""):
        return token
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def local_token(folder: Path) -> LocalToken:
    """The token in the folder's file, made if there is none; only its owner may read it. Raises Permanent."""
    path = folder / TOKEN_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        return _read(path)
    except OSError as e:
        raise Permanent(f"the API's token cannot be kept in {path}: {e.strerror or e}") from e


def _read(path: Path) -> LocalToken:
    if path.stat().st_mode & 0o077:
        raise Permanent(f"{path} may be read by others: chmod 600 it, or delete it to have another one made")
    if len(secret := path.read_text().strip()) < 20:
        raise Permanent(f"{path} holds no token: delete it to have one made")
    return LocalToken(secret)
