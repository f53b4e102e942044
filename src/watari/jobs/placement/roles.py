"""Find each server's role: by metadata, by anti-affinity group, or by its name, in the policy's order."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from watari.model.compute import ComputeSnapshot, Server, ServerId
from watari.policy.values import Roles

MANY = 20  # servers from which on a name that most of them share is taken for mere numbering


def roles_of(
    snapshot: ComputeSnapshot, servers: Sequence[Server], rules: Roles
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Role number per server (-1: none) and the roles' names."""
    key = rules.metadata_key
    roles: list[str | None] = [metadata.get(key) or None for metadata in map(attrgetter("metadata"), servers)]
    if not all(roles):
        _fill_in(roles, snapshot, servers, rules)
    names = dict.fromkeys(roles)
    names.pop(None, None)
    number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    number[None] = -1
    return np.fromiter(map(number.__getitem__, roles), np.int64, len(roles)), tuple(name for name in names if name)


def _fill_in(roles: list[str | None], snapshot: ComputeSnapshot, servers: Sequence[Server], rules: Roles) -> None:
    """Find the roles that metadata did not tell: by group, else by name."""
    groups = _group_of(snapshot) if rules.server_group else {}
    pattern = re.compile(rules.name_pattern) if rules.name_pattern else None
    named: dict[int, str] = {}
    for i, server in enumerate(servers):
        if not roles[i]:
            roles[i] = groups.get(server.id)
            if roles[i] is None and (name := _by_name(pattern, server.name)):
                named[i] = name
    numbering = _mere_numbering(named.values(), len(servers))
    for i, name in named.items():
        if name != numbering:
            roles[i] = name


def _mere_numbering(named: Collection[str], servers: int) -> str | None:
    """A name that most servers of a cloud share (vm-0001, vm-0002 ...) numbers them; it tells no role."""
    name, n = Counter(named).most_common(1)[0] if named else (None, 0)
    return name if n > servers / 2 and servers >= MANY else None


def _group_of(snapshot: ComputeSnapshot) -> Mapping[ServerId, str]:
    """Only groups that keep apart are roles: they say which servers must not share a host's fate.

    Two projects may call their groups alike: those go by name and id.
    """
    apart = [g for g in snapshot.groups.values() if g.policy.endswith("anti-affinity")]
    names = Counter(g.name for g in apart)
    label = {g.id: g.name if g.name and names[g.name] == 1 else f"{g.name}:{g.id}" for g in apart}
    return {member: label[g.id] for g in apart for member in g.members}


def _by_name(pattern: re.Pattern[str] | None, name: str) -> str | None:
    match = pattern.match(name) if pattern else None
    if match is None:
        return None
    return match.groupdict().get("role") or match.group(0)
