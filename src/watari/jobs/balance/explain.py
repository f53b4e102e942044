"""Answer "why (not) this server?" for any server: moved, refused, relieved, healthy or without data."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from watari.jobs.balance.words import rule_reasons
from watari.jobs.placement.detect import diagnose
from watari.jobs.placement.memory import Memory, readings_of
from watari.jobs.placement.standing import Ban, standing
from watari.jobs.placement.world import World, build_world
from watari.model.compute import ComputeSnapshot, ServerId
from watari.model.reasons import Refusal
from watari.plan.plan import Operation, Plan
from watari.plan.text import format_duration, percent
from watari.policy.values import Policy

Kind = Literal["moves", "relieved", "refused", "healthy", "no-data"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule against one server. `met`: it speaks for a move."""

    name: str
    met: bool
    value: str
    limit: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, its reason in a sentence or two, and every rule with value and limit."""

    server: ServerId
    kind: Kind
    title: str
    text: str
    checks: tuple[Check, ...]
    operation: Operation | None = None
    refusal: Refusal | None = None


def explain(
    snapshot: ComputeSnapshot, policy: Policy, made: Plan, server: ServerId, memory: Memory | None = None
) -> Explanation:
    """Explain one server of the snapshot that `made` was planned on. Raises KeyError for a server it does not hold."""
    world = build_world(snapshot, policy, readings_of(snapshot, memory), memory.throttled_rounds if memory else None)
    s = world.readings.ids.index(server) if server in snapshot.servers else -1
    if s < 0:
        raise KeyError(server)
    found, stand = diagnose(world, policy, memory), standing(world, policy)
    ban = stand.ban(s)
    steal, load = float(found.steal[s]), float(found.load[s])
    held = int(found.rounds[s]), int(found.needed[s])
    known, starved, over = bool(world.readings.known[s]), bool(found.starved[s]), bool(found.hot[world.host_of[s]])
    checks = (*_thresholds(policy, known, steal, load, held, world, s), _may_move(ban))
    operation = next((o for o in made.operations if o.subject == server), None)
    refusal = next((r for r in made.refusals if r.subject == server), None)
    if operation is not None:
        fall = f"Steal {percent(operation.steal_before or 0)} now, {percent(operation.steal_after or 0)} after."
        return Explanation(server, "moves", f"moves to {operation.target}", fall, checks, operation)
    if refusal is not None:
        kind: Kind = "relieved" if refusal.code in ("relieved", "moving", "easing") else "refused"
        title = "stays and is relieved" if refusal.code == "relieved" else f"is not moved ({refusal.code})"
        return Explanation(server, kind, title, f"{refusal.why}. {refusal.help}".strip(), checks, None, refusal)
    if not known:
        return Explanation(server, "no-data", "is left alone: its load is not known", _age(world, s), checks)
    host = snapshot.servers[server].host
    left = over and not starved and any(o.source == host for o in made.operations)
    title, text = _healthy(policy, steal, load, host if left else None)
    return Explanation(server, "healthy", title, text, checks)


def lines(explanation: Explanation, snapshot: ComputeSnapshot) -> list[str]:
    """The explanation as text, verdict first."""
    server = snapshot.servers[explanation.server]
    out = [f"{server.name} on {server.host} {explanation.title}"]
    if explanation.text:
        out.append(f"  {explanation.text}")
    for c in explanation.checks:
        limit = f" (limit {c.limit})" if c.limit else ""
        out.append(f"  {'+' if c.met else '-'} {c.name}: {c.value}{limit}")
    if (load := snapshot.loads.get(server.id)) is not None and load.source:
        age_s = (snapshot.taken_at - load.at).total_seconds()
        out.append(f"  measured {format_duration(max(0.0, age_s))} ago, {load.source}")
    return out


def _thresholds(
    policy: Policy, known: bool, steal: float, load: float, held: tuple[int, int], world: World, s: int
) -> tuple[Check, ...]:
    if not known:
        return (Check("load is known", False, _age(world, s), format_duration(policy.detect.stale_after_s)),)
    limits = policy.detect
    met = (steal >= limits.steal, load >= limits.load_per_vcpu, held[0] >= held[1])
    return tuple(
        Check(r.text, m, r.value, r.limit)
        for r, m in zip(rule_reasons(limits, steal, load, *held), met, strict=True)
    )  # fmt: skip


def _may_move(ban: Ban | None) -> Check:
    return Check("may move", ban is None, ban.why if ban else "yes", "")


def _age(world: World, s: int) -> str:
    age_s = float(world.readings.age_s[s])
    return "no usable reading" if np.isinf(age_s) else f"last reading {format_duration(age_s)} ago"


def _healthy(policy: Policy, steal: float, load: float, left: str | None) -> tuple[str, str]:
    """`left`: its host, if that is over the limit and the plan moves others away."""
    d = policy.detect
    if steal < d.steal and load < d.load_per_vcpu:
        why = f"Steal {percent(steal)} and load {load:.2f} per vCPU are under their limits."
    elif steal < d.steal:
        why = f"Its load of {load:.2f} per vCPU is its own: steal is {percent(steal)}, limit {percent(d.steal)}."
    else:
        why = (
            f"Steal is {percent(steal)}, but no work queues up: load {load:.2f} per vCPU, limit {d.load_per_vcpu:.2f}."
        )
    if left:
        why += f" {left} is relieved by moving others." if steal >= d.steal else f" Others leave {left}."
    return "is healthy and stays", why
