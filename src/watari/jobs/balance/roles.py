"""Find each server's role: by metadata, by anti-affinity group, or by its name, in the policy's order."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from watari.model.compute import ComputeSnapshot, Server, ServerId
from watari.policy.balance import Roles

MANY = 20  # servers from which on a name that most of them share is taken for mere numbering


def roles_of(
    snapshot: ComputeSnapshot, servers: Sequence[Server], rules: Roles
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Role number per server (-1: none) and the roles' names."""
    groups = _group_of(snapshot) if rules.server_group else {}
    pattern = re.compile(rules.name_pattern) if rules.name_pattern else None
    key = rules.metadata_key
    told = [s.metadata.get(key) or groups.get(s.id) for s in servers]
    named = [None if role else _by_name(pattern, s.name) for role, s in zip(told, servers, strict=True)]
    numbering = _mere_numbering(named, len(servers))
    roles = [role or (name if name != numbering else None) for role, name in zip(told, named, strict=True)]
    names = tuple(dict.fromkeys(role for role in roles if role))
    number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    return np.fromiter((number.get(role, -1) for role in roles), np.int64, len(roles)), names


def _mere_numbering(named: Sequence[str | None], servers: int) -> str | None:
    """A name that most servers of a cloud share (vm-0001, vm-0002 ...) numbers them; it tells no role."""
    name, n = Counter(name for name in named if name).most_common(1)[0] if any(named) else (None, 0)
    return name if n > servers / 2 and servers >= MANY else None


def _group_of(snapshot: ComputeSnapshot) -> Mapping[ServerId, str]:
    """Only groups that keep apart are roles: they say which servers must not share a host's fate."""
    return {m: g.name for g in snapshot.groups.values() if g.policy.endswith("anti-affinity") for m in g.members}


def _by_name(pattern: re.Pattern[str] | None, name: str) -> str | None:
    match = pattern.match(name) if pattern else None
    if match is None:
        return None
    return match.groupdict().get("role") or match.group(0)
