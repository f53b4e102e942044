"""Judge and compare policies that somebody has written."""

from dataclasses import fields, is_dataclass
from datetime import time
from typing import Any

from watari.errors import BadInput
from watari.policy.load import parse_policy
from watari.policy.values import Policy
from watari.web.api import models as m
from watari.web.api.desk import Desk

SOURCE = "policy"


def judged(text: str) -> m.PolicyCheck:
    """Everything that is wrong with a text, or what it is."""
    try:
        policy = parse_policy(text, SOURCE)
    except BadInput as e:
        return m.PolicyCheck(valid=False, problems=str(e).splitlines(), name="", digest="")
    return m.PolicyCheck(valid=True, problems=[], name=policy.name, digest=policy.digest)


def compared(desk: Desk, two: m.TwoPolicies) -> list[m.PolicyChange]:
    """The keys whose meaning differs. Raises BadInput for a text that is no policy."""
    old, new = (_flat(_read(desk, text)) for text in (two.old, two.new))
    keys = [key for key in {**old, **new} if key not in ("digest",) and old.get(key) != new.get(key)]
    return [m.PolicyChange(key=key, old=old.get(key), new=new.get(key)) for key in keys]


def _read(desk: Desk, text: str) -> Policy:
    name = text.strip()
    if name in desk.policies():
        text = desk.policy(name).text
    return parse_policy(text, SOURCE)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Values by their path, such as `detect.steal`."""
    if is_dataclass(value) and not isinstance(value, type):
        out: dict[str, Any] = {}
        for one in fields(value):
            out |= _flat(getattr(value, one.name), f"{path}.{one.name}" if path else one.name)
        return out
    return {path: _plain(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, time) or not isinstance(value, (str, int, float, bool, type(None), dict)):
        return str(value)
    return value
