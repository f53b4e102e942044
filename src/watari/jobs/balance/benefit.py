"""What a move brought: the same servers before and after it, and whether that can be said to be its doing.

The rule. A move is made for servers that starve: the one that moves, or those it leaves behind. Whoever of them had
steal over `detect.steal` before **got better** when its steal fell by at least LEAST_FALL and either by LEAST_SHARE of
what it was or to under `detect.steal`. One that got better is enough: the move **helped**. If none did, it **did not
help**; nor did it if both hosts together give no more than before: then the trouble has only moved on. Three
things are **unknown**: moves for which nobody starved (made ahead of a peak), servers without data after,
and whatever demand explains as well. Steal that fell while the servers of the old host ask for less by now, wherever
they are, would have fallen anyway; steal that stayed while they, or those of the new host, ask for more is no failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Literal

from watari.model.compute import ComputeSnapshot, HostName, Load, PastMove, Server, ServerId
from watari.plan.plan import Operation, OperationId
from watari.policy.values import Detect

LEAST_FALL = 0.01  # one point: windows of two minutes, read every 15 to 30 s, repeat themselves no better
LEAST_SHARE = 0.25  # a move that works takes nearly all of it: destinations are projected to have next to none
OWN_CHANGE = 0.25  # of one server's demand: it jumps about more than that of
HOST_CHANGE = 0.1  # a whole host's, where steal sets in over a few per cent
LATE_S = 60.0  # readings are a scrape, or a step of the simulator, older than the moment at which they are asked for
JOIN_S = 600.0  # between the cloud's and our record of the same move's end

Verdict = Literal["helped", "no-help", "unknown"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One server at one moment: a share of its vCPUs' time, its load per vCPU, cores. None: not known."""

    steal: float
    load_per_vcpu: float | None
    demand: float | None

    @classmethod
    def of(cls, load: Load | None) -> "Seen | None":
        return None if load is None or not _finite(load) else cls(load.steal, load.load_per_vcpu, load.cpu_demand)


@dataclass(frozen=True, slots=True)
class Change:
    """One server that the move was to help, before it and (once measured) after."""

    server: ServerId
    name: str
    before: Seen | None
    after: Seen | None = None

    @property
    def fall(self) -> float | None:
        """Steal before minus steal after."""
        return self.before.steal - self.after.steal if self.before and self.after else None


@dataclass(frozen=True, slots=True)
class Occupant:
    """A server of a host: cores that it asked for, and cores of those that it did not get."""

    server: ServerId
    cores: float
    stolen: float


@dataclass(frozen=True, slots=True)
class Before:
    """What is kept of a move before it is made. `on_source` and `on_target`: who ran there and was measured."""

    moved: Change
    relieved: tuple[Change, ...] = ()
    on_source: tuple[Occupant, ...] = ()
    on_target: tuple[Occupant, ...] = ()


@dataclass(frozen=True, slots=True)
class Paid:
    """What a move took. `downtime_s` as estimated: clouds do not report how long a guest stood still."""

    mib: float
    seconds: float
    downtime_s: float


@dataclass(frozen=True, slots=True)
class Benefit:
    """What a move brought beside what it cost.

    `stolen_*`: cores asked for and not given on both hosts together, summed over the servers known both times. `why`
    is the sentence behind the verdict. `gain` is what `PastMove.benefit` says.
    """

    operation: OperationId
    source: HostName
    target: HostName
    moved_at: datetime
    measured_at: datetime
    moved: Change
    relieved: tuple[Change, ...]
    stolen_before: float | None
    stolen_after: float | None
    paid: Paid
    verdict: Verdict
    why: str
    gain: float | None

    @property
    def measured(self) -> bool:
        """Somebody's load after the move is known."""
        return any(c.after is not None for c in (self.moved, *self.relieved))


def not_measured(b: Benefit) -> Benefit:
    """The same, when it is too late to say what the loads are due to."""
    left = tuple(replace(c, after=None) for c in b.relieved)
    moved = replace(b.moved, after=None)
    why = "it was not measured in time"
    return replace(
        b, moved=moved, relieved=left, stolen_before=None, stolen_after=None, verdict="unknown", why=why, gain=None
    )


def befores(operations: Iterable[Operation], snapshot: ComputeSnapshot) -> dict[OperationId, Before]:
    """What is seen of the servers and hosts of moves that are about to be made."""
    moves = [op for op in operations if op.move is not None]
    on: dict[str, list[Server]] = {host: [] for op in moves for host in (op.source, op.target)}
    for server in snapshot.servers.values():
        if server.host in on:
            on[server.host].append(server)
    occupants = {host: _occupants(there, snapshot.loads) for host, there in on.items()}
    found = {}
    for op in moves:
        left = set(op.relieves)
        relieved = [s for s in on[op.source] if s.name in left]
        moved = Change(ServerId(op.subject), op.name, Seen.of(snapshot.loads.get(ServerId(op.subject))))
        stay = tuple(Change(s.id, s.name, Seen.of(snapshot.loads.get(s.id))) for s in relieved)
        found[op.id] = Before(moved, stay, occupants[op.source], occupants[op.target])
    return found


def before_of_plan(op: Operation) -> Before:
    """What the plan alone says: for a run at whose beginning nothing could be measured."""
    seen = None if op.steal_before is None else Seen(op.steal_before, None, None)
    return Before(Change(ServerId(op.subject), op.name, seen))


def measure(
    op: Operation,
    before: Before,
    paid: Paid,
    moved_at: datetime,
    after: ComputeSnapshot,
    settle_s: float,
    detect: Detect,
) -> Benefit:
    """Judge one move that is over, by a snapshot of `settle_s` after it or later.

    `settle_s`: until the meter's window lies after a move. Readings from before that do not count.
    """
    since = moved_at + timedelta(seconds=max(settle_s / 2, settle_s - LATE_S))
    loads = _usable(before, after.loads)
    moved = _followed(before.moved, loads, since)
    if stray := _astray(op, after):
        moved = replace(moved, after=None)
    relieved = tuple(
        _followed(c, loads, since) if c.server in after.servers and after.servers[c.server].host == op.source else c
        for c in before.relieved
    )
    stolen = _stolen(before, loads, after.servers)
    verdict, why, gain = _judged(moved, relieved, before, loads, stray, detect)
    if verdict == "helped" and None not in stolen and (stolen[1] or 0.0) >= (stolen[0] or 0.0):
        verdict, why, gain = _moved_on(moved, before, loads)
    return Benefit(
        op.id, HostName(op.source), HostName(op.target), moved_at, after.taken_at, moved, relieved, *stolen, paid,
        verdict, why, gain,
    )  # fmt: skip


def with_gains(past: Iterable[PastMove], benefits: Iterable[Benefit]) -> tuple[PastMove, ...]:
    """The cloud's record of moves, each that was measured with what it brought.

    A move is the same when server and hosts are, and both records end within JOIN_S; the nearest counts.
    """
    known: dict[tuple[ServerId, HostName, HostName], list[Benefit]] = {}
    for b in benefits:
        if b.gain is not None:
            known.setdefault((b.moved.server, b.source, b.target), []).append(b)
    if not known:
        return tuple(past)
    return tuple(_with_gain(m, known.get((m.server, m.source, m.target))) for m in past)


def _with_gain(move: PastMove, found: list[Benefit] | None) -> PastMove:
    if not found or not move.done:
        return move

    def apart_s(b: Benefit) -> float:
        return abs((b.moved_at - move.ended).total_seconds())

    nearest = min(found, key=apart_s)
    return replace(move, benefit=nearest.gain) if apart_s(nearest) <= JOIN_S else move


def _judged(
    moved: Change,
    relieved: tuple[Change, ...],
    before: Before,
    loads: Mapping[ServerId, Load],
    stray: str,
    detect: Detect,
) -> tuple[Verdict, str, float | None]:
    """The rule of this module's docstring, and what `PastMove.benefit` says: 0 at most for what did not help."""
    needy = [c for c in (moved, *relieved) if c.before and c.before.steal >= detect.steal]
    if not needy:
        known = any(c.before for c in (moved, *relieved))
        return "unknown", "nobody starved yet" if known else "no load of before the move is known", None
    seen = [(c, c.fall) for c in needy if c.fall is not None]
    if not seen:
        return "unknown", stray or "no load of after the move is known", None
    old_host, new_host = _growth(before.on_source, loads), _growth(_arrived(before), loads)
    fell, rose, helped, useless = "", "", [], []
    for c, fall in seen:
        better, own = _better(c, fall, detect), _own_growth(c)
        if better and (why := _less(c, own, old_host)):
            fell = fell or why
        elif better:
            helped.append(fall)
        elif why := _more(c, own, new_host if c is moved else old_host):
            rose = rose or why
        else:
            useless.append(fall)
    if helped:
        return "helped", "", max(helped)
    if useless:
        return "no-help", _useless(max(useless)), min(0.0, max(useless))
    return "unknown", fell or rose, None


def _moved_on(moved: Change, before: Before, loads: Mapping[ServerId, Load]) -> tuple[Verdict, str, float | None]:
    """Somebody got better, and both hosts together give no more than before."""
    growth = _growth({o.server: o for o in (*before.on_source, *before.on_target)}.values(), loads)
    if growth is not None and growth > 1 + HOST_CHANGE:
        return "unknown", f"the servers of both hosts ask for {_change(growth)} by now", None
    return "no-help", "both hosts together give no more than before", min(0.0, moved.fall or 0.0)


def _useless(fall: float) -> str:
    if fall >= LEAST_FALL:
        return f"steal fell by less than {LEAST_SHARE:.0%}, and is over the limit still".replace("%", " %")
    return "steal did not fall" if fall > -LEAST_FALL else "steal rose"


def _better(c: Change, fall: float, detect: Detect) -> bool:
    assert c.before is not None
    assert c.after is not None
    return fall >= LEAST_FALL and (fall >= LEAST_SHARE * c.before.steal or c.after.steal < detect.steal)


def _less(c: Change, own: float | None, host: float | None) -> str:
    """Why its steal would have fallen anyway; empty if nothing says so."""
    if own is not None and own < 1 - OWN_CHANGE:
        return f"{c.name} asks for {_change(own)} by now, so its steal would have fallen anyway"
    if host is not None and host < 1 - HOST_CHANGE:
        return f"the servers of its old host ask for {_change(host)} by now, so steal would have fallen anyway"
    return ""


def _more(c: Change, own: float | None, host: float | None) -> str:
    """Why its steal would be no lower anyway."""
    if own is not None and own > 1 + OWN_CHANGE:
        return f"{c.name} asks for {_change(own)} by now, so its steal says nothing of the move"
    if host is not None and host > 1 + HOST_CHANGE:
        return f"the servers around {c.name} ask for {_change(host)} by now, so its steal says nothing of the move"
    return ""


def _change(growth: float) -> str:
    return f"{100 * abs(growth - 1):.0f} % {'less' if growth < 1 else 'more'}"


def _own_growth(c: Change) -> float | None:
    asked, asks = (c.before.demand if c.before else None), (c.after.demand if c.after else None)
    return None if asked is None or asks is None or asked <= 0 else asks / asked


def _growth(occupants: Iterable[Occupant], loads: Mapping[ServerId, Load]) -> float | None:
    """What these servers ask for now, wherever they are, over what they asked for; None if nothing is known."""
    both = [(o.cores, loads[o.server].cpu_demand) for o in occupants if o.server in loads]
    asked = sum(cores for cores, _ in both)
    return sum(cores for _, cores in both) / asked if asked > 0 else None


def _arrived(before: Before) -> tuple[Occupant, ...]:
    """The servers of the target, the moved one among them."""
    return (*before.on_target, *(o for o in before.on_source if o.server == before.moved.server))


def _stolen(
    before: Before, loads: Mapping[ServerId, Load], servers: Mapping[ServerId, Server]
) -> tuple[float | None, float | None]:
    both = [o for o in (*before.on_source, *before.on_target) if o.server in loads and o.server in servers]
    if not both:
        return None, None
    return sum(o.stolen for o in both), sum(loads[o.server].steal * servers[o.server].vcpus for o in both)


def _occupants(servers: Iterable[Server], loads: Mapping[ServerId, Load]) -> tuple[Occupant, ...]:
    known = ((s, loads[s.id]) for s in servers if s.id in loads and _finite(loads[s.id]))
    return tuple(Occupant(s.id, load.cpu_demand, load.steal * s.vcpus) for s, load in known)


def _usable(before: Before, loads: Mapping[ServerId, Load]) -> dict[ServerId, Load]:
    """The loads of those that the move is about; whatever is not a number is unknown."""
    changes = (c.server for c in (before.moved, *before.relieved))
    wanted = {*changes, *(o.server for o in (*before.on_source, *before.on_target))}
    return {id_: load for id_ in wanted if (load := loads.get(id_)) is not None and _finite(load)}


def _finite(load: Load) -> bool:
    return all(map(isfinite, (load.steal, load.load_per_vcpu, load.cpu_demand)))


def _followed(c: Change, loads: Mapping[ServerId, Load], since: datetime) -> Change:
    load = loads.get(c.server)
    return c if load is None or load.at < since else replace(c, after=Seen.of(load))


def _astray(op: Operation, after: ComputeSnapshot) -> str:
    """Why the moved server cannot be measured where it went; empty if it can."""
    server = after.servers.get(ServerId(op.subject))
    if server is None:
        return "the server does not exist any more"
    if server.host != op.target:
        return f"it was moved on to {server.host}"
    return ""
