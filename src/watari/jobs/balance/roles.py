"""Find each server's role: by metadata, by anti-affinity group, or by its name, in the policy's order."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from watari.model.compute import ComputeSnapshot, Server, ServerId
from watari.policy.balance import Roles


def roles_of(
    snapshot: ComputeSnapshot, servers: Sequence[Server], rules: Roles
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Role number per server (-1: none) and the roles' names."""
    groups = _group_of(snapshot) if rules.server_group else {}
    pattern = re.compile(rules.name_pattern) if rules.name_pattern else None
    key = rules.metadata_key
    roles = [s.metadata.get(key) or groups.get(s.id) or _by_name(pattern, s.name) for s in servers]
    names = tuple(dict.fromkeys(role for role in roles if role))
    number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    return np.fromiter((number.get(role, -1) for role in roles), np.int64, len(roles)), names


def _group_of(snapshot: ComputeSnapshot) -> Mapping[ServerId, str]:
    """Only groups that keep apart are roles: they say which servers must not share a host's fate."""
    return {m: g.name for g in snapshot.groups.values() if g.policy.endswith("anti-affinity") for m in g.members}


def _by_name(pattern: re.Pattern[str] | None, name: str) -> str | None:
    match = pattern.match(name) if pattern else None
    if match is None:
        return None
    return match.groupdict().get("role") or match.group(0)
