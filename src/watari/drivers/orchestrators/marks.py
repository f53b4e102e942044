"""How Watari's own doing is told from anybody else's where an orchestrator keeps a text with it."""

import json
from collections.abc import Mapping
from typing import Any, Final

OURS: Final = "watari: "  # a reason that begins so is ours


def marked(reason: str) -> str:
    return reason if reason.startswith(OURS) else OURS + reason


def is_ours(text: object) -> bool:
    return isinstance(text, str) and text.startswith(OURS)


def packed(was: Mapping[str, Any]) -> str:
    """What has to be given back, as one line."""
    return json.dumps(was, sort_keys=True, separators=(",", ":"))


def unpacked(was: str) -> dict[str, Any]:
    """The same read back; empty for an empty or foreign text."""
    try:
        value = json.loads(was) if was else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def listed(names: list[str], noun: str, most: int = 3) -> str:
    """`2 pods: a, b`; `5 pods: a, b, c …`; empty for none."""
    if not names:
        return ""
    more = " …" if len(names) > most else ""
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}: {', '.join(sorted(names)[:most])}{more}"
