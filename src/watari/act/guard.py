"""One place that decides whether a move may start now, and how fast it may copy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from watari.act.journal import OperationRecord
from watari.model.compute import Flight, Host, HostName
from watari.model.links import fair_shares
from watari.plan.accompany import orchestrators_of
from watari.plan.plan import Operation
from watari.plan.steps import MOVES, Move
from watari.policy.values import Peak, Policy

ALL = "all links"
LEAST_MIB_S = 1.0  # what is under way is slowed down, never stopped
LEAST_SHARE = 0.2  # a move that would get less than this share of a link's budget waits: slow copies never converge


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An operation with a move that holds budgets; `rate_mib_s` is what the move was allowed, 0 once it is over."""

    source: HostName
    target: HostName
    zone: str
    role: str
    rate_mib_s: float
    orchestrators: tuple[str, ...] = ()  # that have a member less meanwhile


@dataclass(frozen=True, slots=True)
class Go:
    """It may start now, at this rate at most (None: no limit of ours)."""

    rate_mib_s: float | None


@dataclass(frozen=True, slots=True)
class Wait:
    """It may not start now; `why` says what it waits for."""

    why: str


@dataclass(slots=True)
class Guard:
    """Budgets of a policy over everything that is under way, whoever started it."""

    policy: Policy
    hosts: Mapping[HostName, Host]
    stopped: str = ""  # the stop switch: a reason, or empty

    def may_start(self, op: Operation, under_way: Iterable[UnderWay], at: datetime) -> Go | Wait:
        """Check the stop switch, quiet hours, peaks, concurrency, then bandwidth.

        What moves nothing (a host that is disabled, say) takes no place and copies nothing: only the switch stops it.
        """
        moves, step = list(under_way), op.move
        if step is None:
            return Wait(f"stopped: {self.stopped}") if self.stopped else Go(None)
        if why := self._closed(op.zone, at):
            return Wait(why)
        peaks = self._peaks(op.zone, at)
        if why := _peak_why(peaks, moves) or _concurrency(op, step, moves, self.policy):
            return Wait(why)
        share = min((p.bandwidth for p in peaks), default=1.0)
        return self._rate(step.source, step.target, step.bandwidth_mib_s, moves, share)

    def may_go_on(self) -> str:
        """Why an operation that has begun must not take its next step; empty: it may."""
        return f"stopped: {self.stopped}" if self.stopped else ""

    def share(self, op: Operation, granted_mib_s: float, others: Iterable[UnderWay], at: datetime) -> float:
        """How fast a move under way may copy from now on: less when windows or others need it, more when there is room.

        Whoever takes more first writes it down, whoever takes less does so first: what is granted is never more than
        the links' budgets, but for the moment in which a window begins.
        """
        step = op.move
        assert step is not None
        share = min((p.bandwidth for p in self._peaks(op.zone, at)), default=1.0)
        copying = [m for m in others if m.rate_mib_s > 0]
        uses: list[tuple[str, ...]] = [(step.source, step.target), *((m.source, m.target) for m in copying)]
        capacity: dict[str, float] = {host: self._link(HostName(host), share) for pair in uses for host in pair}
        if (total := self.policy.budgets.total_mib_s) is not None:
            uses, capacity[ALL] = [(*pair, ALL) for pair in uses], total * share
        cap = self.policy.budgets.move_mib_s or float("inf")
        fair = fair_shares(uses, [cap] * len(uses), capacity)[0]
        used = {
            link: sum(m.rate_mib_s for m, u in zip(copying, uses[1:], strict=True) if link in u) for link in uses[0]
        }
        room = min(capacity[link] - used[link] for link in uses[0])
        if room < granted_mib_s:
            return max(LEAST_MIB_S, min(granted_mib_s, max(fair, room)))
        return max(LEAST_MIB_S, min(room, cap, max(granted_mib_s, fair)))

    def _closed(self, zone: str, at: datetime) -> str:
        if self.stopped:
            return f"stopped: {self.stopped}"
        local = self.policy.local(at)
        for window in self.policy.budgets.quiet:
            if window.contains(local) and (not window.zones or zone in window.zones):
                return f"quiet hours {window}"
        return ""

    def _peaks(self, zone: str, at: datetime) -> list[Peak]:
        """The peak windows that hold now; where they overlap the strictest counts."""
        local = self.policy.local(at)
        return [
            p
            for p in self.policy.budgets.peaks
            if p.window.contains(local) and (not p.window.zones or zone in p.window.zones)
        ]

    def _rate(
        self, source: HostName, target: HostName, cap: float | None, moves: list[UnderWay], share: float
    ) -> Go | Wait:
        budgets, room = self.policy.budgets, []
        for host in (source, target):
            link = self._link(host, share)
            used = sum(m.rate_mib_s for m in moves if host in (m.source, m.target))
            if link - used < LEAST_SHARE * link or link <= 0:
                return Wait(f"link of {host}: {used:.0f} of {link:.0f} MiB/s in use")
            room.append(link - used)
        if budgets.total_mib_s is not None:
            total, used = budgets.total_mib_s * share, sum(m.rate_mib_s for m in moves)
            if total - used < LEAST_SHARE * min(total, *room):
                return Wait(f"all links: {used:.0f} of {total:.0f} MiB/s in use")
            room.append(total - used)
        caps = (cap, budgets.move_mib_s)
        return Go(min([*room, *(c for c in caps if c is not None)]))

    def _link(self, host: HostName, share: float) -> float:
        have = self.hosts[host].link_mib_s if host in self.hosts else float("inf")
        limit = self.policy.budgets.link_mib_s
        return have * share if limit is None else min(have, limit * share)


def _peak_why(peaks: list[Peak], moves: list[UnderWay]) -> str:
    for peak in peaks:
        if peak.moves == 0:
            return f"peak {peak.window}: no move starts"
        zones = peak.window.zones
        inside = sum([not zones or m.zone in zones for m in moves])
        if inside >= peak.moves:
            return f"moves in total (peak {peak.window}): {inside} of {peak.moves}"
    return ""


def _concurrency(op: Operation, step: Move, moves: list[UnderWay], policy: Policy) -> str:
    budgets, at_once = policy.budgets, policy.orchestration.at_once
    counts = [
        ("moves in total", len(moves), budgets.total),
        (f"moves in {op.zone}", sum([m.zone == op.zone for m in moves]), budgets.per_zone),
        (f"moves out of {step.source}", sum([m.source == step.source for m in moves]), budgets.per_host_out),
        (f"moves into {step.target}", sum([m.target == step.target for m in moves]), budgets.per_host_in),
        (f"moves of role {op.role}", sum([m.role == op.role for m in moves]) if op.role else 0, budgets.per_role),
    ]
    counts += [
        (f"members of {name} out of service", sum([name in m.orchestrators for m in moves]), at_once)
        for name in orchestrators_of(op)
    ]
    return next((f"{what}: {used} of {limit}" for what, used, limit in counts if used >= limit), "")


def holding(record: OperationRecord) -> UnderWay | None:
    """The budgets that an operation holds: from its first step to its last, so that what has begun is not held up.

    None while it holds none.
    """
    moving = record.moving
    if moving is None or not isinstance(moving.step, MOVES) or not record.under_way:
        return None
    step, op = moving.step, record.operation
    rate = 0.0 if moving.over else step.bandwidth_mib_s or 0.0
    return UnderWay(step.source, step.target, op.zone, op.role, rate, orchestrators_of(op))


def allot(record: OperationRecord, rate_mib_s: float | None) -> None:
    """Let the operation's move copy at that rate at most."""
    moving = record.moving
    if moving is not None and isinstance(moving.step, MOVES):
        moving.step = replace(moving.step, bandwidth_mib_s=rate_mib_s)


def foreign(flights: Iterable[Flight], own: Iterable[UnderWay], hosts: Mapping[HostName, Host]) -> list[UnderWay]:
    """Moves under way that are not ours. They hold places; how fast they copy is not known, so no bandwidth."""
    ours = Counter((m.source, m.target) for m in own)
    out = []
    for flight in flights:
        if ours[flight.source, flight.target] > 0:
            ours[flight.source, flight.target] -= 1
        elif flight.source in hosts:
            out.append(UnderWay(flight.source, flight.target, hosts[flight.source].zone, "", 0.0))
    return out
