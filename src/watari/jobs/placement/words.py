"""The sentences about destinations: why this host, why not another, why none at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watari.model.compute import Server
from watari.model.reasons import Candidate
from watari.plan.text import percent
from watari.policy.values import Policy

CURES = {
    "memory": "free memory there or add a host",
    "disk": "free disk there or use shared storage",
    "vcpus": "raise the hosts' CPU allocation ratio or add a host",
    "cpu": "add a host to the zone or lower destination.headroom",
    "role": "spread the role over more hosts, or set destination.spread_roles to false",
    "alone": "add a host, or set destination.spread_roles to false",
    "group": "add a host, or make the server group soft-anti-affinity",
    "aggregate": "add hosts to the aggregate",
    "return": "wait, or lower calm.no_return",
}

FAILS = {  # one host, many hosts
    "closed": ("receives nothing", "receive nothing"),
    "memory": ("lacks memory", "lack memory"),
    "disk": ("lacks disk", "lack disk"),
    "vcpus": ("has no vCPUs left", "have no vCPUs left"),
    "cpu": ("would be too full", "would be too full"),
    "role": ("would crowd its role", "would crowd its role"),
    "alone": ("would have all of its role", "would have all of its role"),
    "group": ("would break anti-affinity", "would break anti-affinity"),
    "aggregate": ("is outside its aggregates", "are outside its aggregates"),
    "return": ("was left by it not long ago", "were left by it not long ago"),
}


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that ruled out `count` hosts; `best` came nearest to passing, `text` says by how much it failed.

    `cure` is what would help; empty where nothing about these hosts would.
    """

    code: str
    count: int
    best: str
    text: str
    cure: str


def chosen_why(first: Candidate, role: str) -> Candidate:
    """The winner's line."""
    return replace(first, why=f"lowest score: projected steal {percent(first.steal or 0)}{_with_role(first, role)}")


def lost_why(loser: Candidate, first: Candidate, role: str) -> Candidate:
    """What a runner-up lost by: the part of the objective in which it is worse."""
    if loser.same_role > first.same_role:
        why = f"{loser.same_role} {role} there already, {first.same_role} on {first.host}"
    elif (loser.steal or 0) > (first.steal or 0) + 0.0005:
        why = f"projected steal {percent(loser.steal or 0)}, {percent(first.steal or 0)} on {first.host}"
    elif loser.cpu_after > first.cpu_after + 0.0005:
        why = f"CPU would reach {percent(loser.cpu_after)}, {percent(first.cpu_after)} on {first.host}"
    elif loser.score is not None and first.score is not None and loser.score > first.score:
        why = f"its memory is fuller or its steal higher than that of {first.host}"
    else:
        why = f"equal to {first.host}, which comes first by name"
    return replace(loser, why=why)


def room_text(
    code: str, server: Server, free_mib: float, free_gib: float, cpu_after: float, closed: str, policy: Policy
) -> str:
    """By how much a host fails a rule: the value and the limit. `closed` says why it receives nothing."""
    limits = policy.destination
    return {
        "closed": closed,
        "memory": f"{max(0, int(free_mib)):,} MiB free, needs {server.memory_mib:,} MiB",
        "disk": f"{max(0, int(free_gib)):,} GiB free, needs {server.local_disk_gib:,} GiB",
        "vcpus": f"no room for {server.vcpus} vCPUs under its allocation ratio",
        "cpu": f"CPU would reach {percent(cpu_after)}, limit {percent(1 - limits.headroom)}",
        "role": "it has as many servers of the role as the source",
        "alone": "every server of the role would be on it",
        "group": "it runs a member of the same anti-affinity group",
        "aggregate": f"it is not in {', '.join(sorted(server.aggregates))}",
        "return": "the server left it within calm.no_return",
    }[code]


def no_destination(misses: Sequence[Miss], zone: str) -> tuple[str, str]:
    """Why no host of the zone takes a server, and what would help, the widest reason first."""
    if not misses:
        return f"{zone} has no other host", f"Add a host to {zone}."
    ordered = sorted(misses, key=lambda m: -m.count)
    parts = [f"{m.count} {FAILS[m.code][m.count > 1]} ({m.best}: {m.text})" for m in ordered]
    cures = list(dict.fromkeys(m.cure for m in ordered if m.cure)) or [f"add a host to {zone}"]
    help_ = "; ".join(cures[:2])
    return f"no host of {zone} takes it: " + "; ".join(parts), help_[0].upper() + help_[1:] + "."


def _with_role(candidate: Candidate, role: str) -> str:
    return f", {candidate.same_role} {role} there" if role else ""
