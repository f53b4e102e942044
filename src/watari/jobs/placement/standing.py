"""Which servers may be moved at all, and the sentence for those that may not."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from operator import attrgetter

from watari.jobs.placement.world import World
from watari.model.compute import HostName, PastMove, ServerGroup, ServerId
from watari.model.reasons import Finding
from watari.plan.text import format_duration, percent
from watari.policy.values import Policy

LOOK = "Look at its CPU quota and pinning, its own load, and what else runs on {host}."


@dataclass(frozen=True, slots=True)
class Ban:
    """Why a server stays where it is, with a stable code and what a person can do."""

    code: str
    why: str
    help: str = ""


@dataclass(slots=True)
class Standing:
    """Answers about a server lazily: only those of hosts that are to be left are ever asked about."""

    world: World
    policy: Policy
    groups: dict[ServerId, list[ServerGroup]]
    moves: dict[ServerId, list[PastMove]]
    flying: frozenset[ServerId]
    number: dict[ServerId, int]  # index of each server that is in a group
    _excluded: "re.Pattern[str] | None" = None
    _hosts: "re.Pattern[str] | None" = None

    def ban(self, s: int) -> Ban | None:
        """None if server `s` may be moved now."""
        return self._state(s) or self._wish(s) or self._calm(s)

    def host_excluded(self, name: str) -> bool:
        """The policy leaves this host alone: nothing goes there, nothing leaves it."""
        return bool(self._hosts and self._hosts.match(name))

    def left_hosts(self, s: int) -> set[HostName]:
        """Hosts that the server left too recently to come back."""
        since = self._now() - timedelta(seconds=self.policy.calm.no_return_s)
        return {m.source for m in self.moves.get(self.world.readings.ids[s], ()) if m.done and m.ended > since}

    def findings(self) -> tuple[Finding, ...]:
        """Servers that the cycle breaker holds, and moves that did not help while their server rests."""
        return (*self._cycles(), *self._no_help())

    def _cycles(self) -> tuple[Finding, ...]:
        calm = self.policy.calm
        often = Counter(map(attrgetter("server"), self.world.snapshot.past))  # at least as many as count below
        counts = {id_: self._recent(self.moves[id_]) for id_, n in often.items() if n >= calm.cycle_moves}
        text = "moved {} times in " + f"{format_duration(calm.cycle_window_s)} (limit {calm.cycle_moves}); left alone"
        cure = "Look at its load: moving does not help it. Resize it."
        return tuple(
            Finding(id_, "cycle", text.format(n), "warning", cure) for id_, n in counts.items() if n >= calm.cycle_moves
        )

    def _no_help(self) -> tuple[Finding, ...]:
        snapshot = self.world.snapshot
        servers = dict.fromkeys(m.server for m in snapshot.past if m.no_help and m.server in snapshot.servers)
        last = (max(self.moves[id_], key=attrgetter("ended")) for id_ in servers if id_ in self.moves)
        return tuple(self._useless(m) for m in last if m.no_help and self._rests_until(m) > self._now())

    def _useless(self, move: PastMove) -> Finding:
        """What the move was, what it brought, how the server is now, and where to look."""
        name = self.world.snapshot.servers[move.server].name
        worse = -100 * (move.benefit or 0.0)
        brought = f"steal rose by {worse:.1f} points" if worse >= 0.1 else "steal fell too little, if at all"
        at = f"{self.policy.local(move.ended):%H:%M}"
        text = f"moved {move.source} -> {move.target} at {at} and that did not help: {brought}"
        if load := self.world.snapshot.loads.get(move.server):
            text += f"; it now has steal {percent(load.steal)}, load {load.load_per_vcpu:.2f} per vCPU"
        until = f"It stays put until {self.policy.local(self._rests_until(move)):%H:%M}"
        return Finding(name, "no-help", text, "warning", f"{LOOK.format(host=move.target)} {until}.")

    def _pause_s(self, move: PastMove) -> float:
        """How long a server rests after a move."""
        calm = self.policy.calm
        if not move.done:
            return calm.failed_cool_down_s
        return max(calm.cool_down_s, calm.no_help_cool_down_s) if move.no_help else calm.cool_down_s

    def _rests_until(self, move: PastMove) -> datetime:
        return move.ended + timedelta(seconds=self._pause_s(move))

    def _now(self) -> datetime:
        return self.world.snapshot.taken_at

    def _recent(self, moves: Iterable[PastMove]) -> int:
        since = self._now() - timedelta(seconds=self.policy.calm.cycle_window_s)
        return sum(1 for m in moves if m.done and m.ended > since)

    def _state(self, s: int) -> Ban | None:
        server = self.world.servers[s]
        if server.id in self.flying:
            return Ban("moving", "is being moved already")
        if self.world.hosts[int(self.world.host_of[s])].state == "down":
            return Ban("host-down", f"{server.host} is down: nothing moves live off it", "Recover the host first.")
        if server.status != "ACTIVE":
            return Ban("status", f"is {server.status}, and only ACTIVE servers move live", "Mend or start it first.")
        if server.pinned_by:
            return Ban("pinned", f"cannot move live: {server.pinned_by}", "Move its neighbours, or it cold.")
        if not self.world.readings.known[s]:
            return Ban("no-data", "its load is not known", "Check the exporter on its host.")
        if group := self.kept_together(s):
            why = f"server group {group.name} (affinity) keeps it with {len(group.members) - 1} others"
            return Ban("affinity", why, "Make the group soft-affinity, or move its neighbours.")
        return None

    def kept_together(self, s: int) -> ServerGroup | None:
        """The hard affinity group that ties the server to others."""
        groups = self.groups.get(self.world.readings.ids[s], ())
        return next((g for g in groups if g.policy == "affinity" and len(g.members) > 1), None)

    def _wish(self, s: int) -> Ban | None:
        if ban := self.pin(s) or self.exclusion(s):
            return ban
        host = self.world.servers[s].host
        if self.host_excluded(host):
            return Ban("excluded", f"the policy leaves {host} alone (exclude.hosts)", "Change exclude.hosts.")
        return None

    def pin(self, s: int) -> Ban | None:
        """Its owner pinned it."""
        key = self.policy.exclude.pin_metadata_key
        pin = self.world.servers[s].metadata.get(key, "").strip().lower()
        if pin and pin not in ("false", "no", "0", "off"):
            return Ban("pinned", f"its metadata pins it ({key}={pin})", "Remove the metadata key.")
        return None

    def exclusion(self, s: int) -> Ban | None:
        """The policy leaves this server, its project or its role alone."""
        server, exclude = self.world.servers[s], self.policy.exclude
        if self._excluded and (self._excluded.match(server.name) or self._excluded.match(server.id)):
            return Ban("excluded", "the policy excludes it (exclude.servers)", "Take it out of exclude.servers.")
        if server.project and server.project in exclude.projects:
            return Ban("excluded", f"the policy excludes project {server.project}", "Change exclude.projects.")
        role = self.role(s)
        if role and role in exclude.roles:
            return Ban("excluded", f"the policy excludes role {role}", "Change exclude.roles.")
        return None

    def role(self, s: int) -> str:
        """The role's name, empty without one."""
        number = self.world.role_of[s]
        return self.world.role_names[number] if number >= 0 else ""

    def _calm(self, s: int) -> Ban | None:
        calm, moves = self.policy.calm, self.moves.get(self.world.readings.ids[s])
        if not moves:
            return None
        if (n := self._recent(moves)) >= calm.cycle_moves:
            why = f"moved {n} times in {format_duration(calm.cycle_window_s)} (limit {calm.cycle_moves})"
            return Ban("cycle", why, "Moving does not help it: resize it or look at its load.")

        last = max(moves, key=self._rests_until)  # a failure does not cut the rest after an earlier move short
        pause_s = self._pause_s(last)
        rest_s = pause_s - (self._now() - last.ended).total_seconds()
        if rest_s <= 0:
            return None
        ago, until = format_duration(pause_s - rest_s), f"{self.policy.local(self._rests_until(last)):%H:%M}"
        if last.no_help:
            why = f"moved {last.source} -> {last.target} {ago} ago and that did not help; it rests for "
            help_ = f"{LOOK.format(host=last.target)} Or wait until {until}, or lower calm.no_help_cool_down."
            return Ban("no-help", why + format_duration(pause_s), help_)
        word, key = ("moved", "calm.cool_down") if last.done else ("a move failed", "calm.failed_cool_down")
        why = f"{word} {ago} ago; the cool-down is {format_duration(pause_s)}"
        return Ban("cool-down", why, f"Wait until {until}, or lower {key}.")


def standing(world: World, policy: Policy) -> Standing:
    """Index groups, past moves and flights by server."""
    groups, moves = defaultdict(list), defaultdict(list)
    for group in world.snapshot.groups.values():
        for member in group.members:
            groups[member].append(group)
    calm = policy.calm
    rests_s = max(calm.cool_down_s, calm.failed_cool_down_s, calm.no_help_cool_down_s)
    longest_s = max(rests_s, calm.no_return_s, calm.cycle_window_s)
    since = world.snapshot.taken_at - timedelta(seconds=longest_s)
    for move in world.snapshot.past:
        if move.ended > since:
            moves[move.server].append(move)
    flying = frozenset(f.server for f in world.snapshot.flights)
    number = {id_: i for i, id_ in enumerate(world.readings.ids) if id_ in groups}
    exclude = policy.exclude
    return Standing(world, policy, groups, moves, flying, number, _any_of(exclude.servers), _any_of(exclude.hosts))


def _any_of(patterns: Sequence[str]) -> "re.Pattern[str] | None":
    return re.compile("|".join(translate(p) for p in patterns)) if patterns else None
