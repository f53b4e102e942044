"""Rank the hosts that may receive a server: same zone, room, fewest of its role, least steal after the move."""

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.ledger import Ledger
from watari.jobs.placement.standing import Standing
from watari.jobs.placement.words import CURES, Miss, chosen_why, lost_why, no_destination, room_text
from watari.jobs.placement.world import SETTLE_S, Bools, Floats, Ints, World
from watari.model.compute import HostName
from watari.model.reasons import Candidate
from watari.plan.text import percent
from watari.policy.values import Policy

LARGE_ZONE = 500  # hosts
MOST_FAILURES = 8  # kept per zone and role; each is looked at for every server that might fail likewise
BY_SIZE = ("itself", "closed", "memory", "disk", "vcpus", "cpu")  # rules that a larger server fails too
Rules = list[tuple[str, Bools]]  # rule code -> hosts of the zone that it rules out, in the order they are told


@dataclass(frozen=True, slots=True)
class Weighed:
    """The hosts of a server's zone as they would stand after its move; `best` is an index into the zone."""

    server: int
    zone: slice
    need: Floats  # cores asked for after the move
    steal: Floats  # projected, 0-1
    same_role: Ints
    scores: Floats  # infinite where a rule forbids the host
    best: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A server that no host of its zone takes: whoever is as large in every way is not taken either.

    That stays true within a plan, as hosts only fill up. `at_source`: servers of its role on its own host, the more the
    laxer the role rule; `why` is told for all.
    """

    source: int
    sizes: Floats  # demand per level, memory, disk, vCPUs
    at_source: int
    why: tuple[str, str, tuple[Candidate, ...]]


@dataclass(slots=True)
class Destinations:
    """Destinations of one plan; `receives` are the hosts that may receive anything at all.

    `emptied` hosts receive nothing because they are to be emptied themselves. `waived` rules are not looked at, by
    code. `crowded`: a host may have as many servers of a role as the source, only never all of them.
    """

    world: World
    policy: Policy
    found: Diagnosis
    ledger: Ledger
    standing: Standing
    worst_steal: Floats  # per host: the most steal that a server there has now
    floor_cpus: Floats  # capacity that may be divided by
    floor_memory_mib: Floats
    receives: Bools
    failures: dict[tuple[int, int], list[Failure]] = field(default_factory=dict)  # by zone and role (-1: any role)
    emptied: frozenset[int] = frozenset()
    waived: frozenset[str] = frozenset()
    crowded: bool = False

    def weigh(self, s: int) -> Weighed | None:
        """Score every host of the zone; None if a rule forbids each of them.

        When none passes with the deviations of demand counted in, they are left out: a server that starves now is not
        kept where it is because another host might be short one day.
        """
        if self.known_to_fail(s):
            return None
        weighed = self._weigh(s, boldly=False)
        return self._weigh(s, boldly=True) if weighed is None and self.ledger.cautious else weighed

    def _weigh(self, s: int, *, boldly: bool) -> Weighed | None:
        zone, ledger, weights = self.zone(s), self.ledger, self.policy.weights
        need = ledger.need_with(zone, s, boldly=boldly)
        same = ledger.same_role(int(self.world.role_of[s]), zone)
        closed = np.zeros(len(need), bool)
        for _, fails in self.rules(s, zone, need, same):
            closed |= fails
        if closed.all():
            return None
        cpus = self.floor_cpus[zone]
        steal = np.maximum(0.0, 1.0 - cpus / np.maximum(need, 1e-9))
        used = 1 - (ledger.memory_free[zone] - self.world.server_memory_mib[s]) / self.floor_memory_mib[zone]
        scores = weights.steal * (steal + self.worst_steal[zone]) + weights.same_role * same
        scores += weights.cpu * need / cpus + weights.memory * used
        scores[closed] = np.inf
        return Weighed(s, zone, need, steal, same, scores, int(scores.argmin()))

    def zone(self, s: int) -> slice:
        """The hosts of the server's zone."""
        return self.world.zone_slice[int(self.world.zone_of[self.world.host_of[s]])]

    def candidates(self, weighed: Weighed) -> tuple[Candidate, ...]:
        """The chosen host and the runners-up as they stand before the move is booked, each with why."""
        scores = weighed.scores
        k = min(self.policy.destination.runners_up + 1, int(np.count_nonzero(scores < np.inf)))
        order = np.argpartition(scores, k - 1)[:k]
        order = order[np.lexsort((order, scores[order]))]
        if order[0] != weighed.best:  # equal scores: the first by name was taken
            order = np.concatenate(([weighed.best], order[order != weighed.best][: k - 1]))
        role = self.standing.role(weighed.server)
        raw = [self._candidate(weighed, i) for i in order.tolist()]
        return (chosen_why(raw[0], role), *(lost_why(c, raw[0], role) for c in raw[1:]))

    def _candidate(self, weighed: Weighed, i: int, why: str = "") -> Candidate:
        h, score = weighed.zone.start + i, float(weighed.scores[i])
        return Candidate(
            self.world.hosts[h].name,
            score if score < np.inf else None,
            float(weighed.steal[i]),
            int(weighed.same_role[i]),
            int(self.ledger.memory_free[h]),
            float(weighed.need[i] / self.floor_cpus[h]),
            why,
        )

    def known_to_fail(self, s: int) -> bool:
        """Has a server that is no larger in any way found no host?"""
        return self._failure(s) is not None

    def why_none(self, s: int) -> tuple[str, str, tuple[Candidate, ...]]:
        """Why no host takes the server: a sentence that counts the rules, what would help, the nearest misses.

        In a large zone it may be that of a server of another host, which counts one host differently.
        """
        zone, source = self.zone(s), int(self.world.host_of[s])
        failure = self._failure(s)
        if failure and (failure.source == source or zone.stop - zone.start > LARGE_ZONE):
            return failure.why
        need = self.ledger.need_with(zone, s, boldly=True)
        same = self.ledger.same_role(int(self.world.role_of[s]), zone)
        rules = self.rules(s, zone, need, same)
        cpu_after = need / self.floor_cpus[zone]
        misses = self._misses(s, zone, rules, cpu_after)
        near = self._nearest(s, zone, rules, need, same)
        why = (*no_destination(misses, self.world.hosts[zone.start].zone), near)
        if failure is None:
            self._remember(s, zone, rules, why)
        return why

    def _remember(self, s: int, zone: slice, rules: Rules, why: tuple[str, str, tuple[Candidate, ...]]) -> None:
        """Only rules that ask nothing but size and role say anything of other servers."""
        of_role = np.zeros(zone.stop - zone.start, bool)
        of_size, shut = of_role.copy(), of_role.copy()
        for code, fails in rules:
            if code in ("itself", "closed"):
                shut |= fails
            if code == "role":
                of_role |= fails
            elif code in BY_SIZE:
                of_size |= fails
        role = int(self.world.role_of[s])
        if of_size.all():
            key = (zone.start, -1)
        elif (of_size | of_role).all():
            key = (zone.start, role)
        else:
            return
        source = int(self.world.host_of[s])
        at_source = self._role_at(role, source)
        sizes = np.zeros_like(self._sizes(s)) if shut.all() else self._sizes(s)  # nobody receives: size is no matter
        known = self.failures.setdefault(key, [])
        if len(known) < MOST_FAILURES:
            known.append(Failure(source, sizes, at_source, why))
            return
        largest = max(range(len(known)), key=lambda i: float(known[i].sizes.sum()))  # says least of others
        known[largest] = Failure(source, sizes, at_source, why)

    def _failure(self, s: int) -> Failure | None:
        zone, role = self.zone(s).start, int(self.world.role_of[s])
        general, special = self.failures.get((zone, -1), ()), self.failures.get((zone, role), ())
        if not general and not special:
            return None
        sizes = self._sizes(s)
        if found := next((f for f in general if not (sizes < f.sizes).any()), None):
            return found
        if not special or role < 0:
            return None
        at_source = self._role_at(role, int(self.world.host_of[s]))
        return next((f for f in special if at_source <= f.at_source and not (sizes < f.sizes).any()), None)

    def _sizes(self, s: int) -> Floats:
        world = self.world
        room = (world.server_memory_mib[s], world.server_disk_gib[s], world.vcpus[s])
        return np.concatenate((self.ledger.demands[:, s], np.array(room, np.float64)))

    def _role_at(self, role: int, source: int) -> int:
        """What a destination must have fewer of: servers of the role that stay; for an emptied host, that were there.

        So a balance never crowds a role, and a drain never crowds it more than the host did that it empties.
        """
        stay = self.ledger.role_at_source(role, source)
        return stay + self.ledger.departures.get((role, source), 0) if source in self.emptied else stay

    def why_closed(self, h: int) -> tuple[str, str]:
        """Why host `h` receives nothing at all, and what would help; both are empty if it may receive."""
        host, steal, limit = self.world.hosts[h], float(self.worst_steal[h]), self.policy.destination.max_steal
        if h in self.emptied:
            return "it is to be emptied as well", ""
        if host.state != "up":
            note = f": {host.state_note}" if host.state_note else ""
            return f"it is {host.state}{note}", f"bring {host.name} back into service"
        if self.world.cpus[h] <= 0:
            return "it has no CPU", f"correct the record of {host.name}"
        if self.found.hot[h]:
            return "it has to be relieved itself", ""
        if self.found.blind[h]:
            return "it has servers that send no data", f"check the exporter on {host.name}"
        if steal > limit:
            return f"steal there is {percent(steal)}, limit {percent(limit)}", ""
        return (
            ("the policy excludes it", "change exclude.hosts") if self.standing.host_excluded(host.name) else ("", "")
        )

    def rules(self, s: int, zone: slice, need: Floats, same_role: Ints) -> Rules:
        """Every rule with the hosts of the zone that fail it; the order is the order of telling."""
        world, ledger, policy = self.world, self.ledger, self.policy.destination
        server, role = world.servers[s], int(world.role_of[s])
        source = int(world.host_of[s])
        itself = np.zeros(zone.stop - zone.start, bool)
        itself[source - zone.start] = True
        reserve = policy.memory_headroom * world.memory_mib[zone]
        rules: Rules = [
            ("itself", itself),
            ("closed", ~self.receives[zone]),
            ("memory", ledger.memory_free[zone] - reserve < world.server_memory_mib[s]),
            ("disk", ledger.disk_free[zone] < world.server_disk_gib[s]),
            ("vcpus", ledger.vcpus_free[zone] < world.vcpus[s]),
            ("cpu", need > (1 - policy.headroom) * world.cpus[zone] * (1 + 1e-9)),
        ]
        if policy.spread_roles and role >= 0 and not self.crowded:
            rules.append(("role", same_role >= self._role_at(role, source)))
        if apart := self._apart(s, zone):
            rules.append(("group", self._mask(zone, apart)))
        if server.aggregates:
            rules.append(("aggregate", self._outside(server.aggregates, zone)))
        if left := self.standing.left_hosts(s):
            rules.append(("return", self._named(zone, left)))
        if policy.spread_roles and role >= 0 and self.crowded:
            rules.append(("alone", ledger.all_of_role(role, zone)))
        return [rule for rule in rules if rule[0] not in self.waived] if self.waived else rules

    def _misses(self, s: int, zone: slice, rules: Rules, cpu: Floats) -> list[Miss]:
        """Each rule with the hosts it is the first to rule out, and the best of them by that rule's measure."""
        world, ledger = self.world, self.ledger
        left = np.ones(zone.stop - zone.start, bool)
        misses = []
        best_by = {"memory": -ledger.memory_free[zone], "disk": -ledger.disk_free[zone], "cpu": cpu}
        for code, fails in rules:
            hit = np.flatnonzero(left & fails)
            left &= ~fails
            if code == "itself" or not len(hit):
                continue
            best = int(hit[np.argmin(best_by.get(code, cpu)[hit])])
            h = zone.start + best
            server = world.servers[s]
            free = ledger.memory_free[h], ledger.disk_free[h]
            closed, cure = self.why_closed(h)
            text = room_text(code, server, *free, cpu[best], closed, self.policy)
            misses.append(Miss(code, len(hit), world.hosts[h].name, text, CURES.get(code, cure)))
        return misses

    def _nearest(self, s: int, zone: slice, rules: Rules, need: Floats, same: Ints) -> tuple[Candidate, ...]:
        """The hosts that fail the fewest rules, each with the first rule that it fails."""
        fails = np.stack([f for _, f in rules])
        failed = np.where(fails[0], len(rules) + 1, fails.sum(axis=0))  # row 0 is the server's own host
        steal = np.maximum(0.0, 1.0 - self.floor_cpus[zone] / np.maximum(need, 1e-9))
        weighed = Weighed(s, zone, need, steal, same, np.full(len(need), np.inf), -1)
        out = []
        for i in np.lexsort((need, failed))[: self.policy.destination.runners_up].tolist():
            if failed[i] > len(rules):
                continue
            h, code = zone.start + i, next(code for code, f in rules if f[i])
            free = self.ledger.memory_free[h], self.ledger.disk_free[h]
            cpu = need[i] / self.floor_cpus[h]
            why = room_text(code, self.world.servers[s], *free, cpu, self.why_closed(h)[0], self.policy)
            out.append(self._candidate(weighed, i, why))
        return tuple(out)

    def _apart(self, s: int, zone: slice) -> set[int]:
        """Hosts with a member of one of the server's anti-affinity groups, planned arrivals included."""
        world, hosts = self.world, set[int]()
        for group in self.standing.groups.get(world.readings.ids[s], ()):
            if group.policy != "anti-affinity":
                continue
            members = {self.standing.number[m] for m in group.members if m in self.standing.number} - {s}
            hosts |= {int(world.host_of[m]) for m in members} | {int(world.bound_for[m]) for m in members}
            hosts |= {h for h, guests in self.ledger.guests.items() if guests & members}
        return {h for h in hosts if zone.start <= h < zone.stop}

    def _mask(self, zone: slice, hosts: set[int]) -> Bools:
        mask = np.zeros(zone.stop - zone.start, bool)
        mask[[h - zone.start for h in hosts]] = True
        return mask

    def _named(self, zone: slice, names: set[HostName]) -> Bools:
        return np.fromiter((h.name in names for h in self.world.hosts[zone]), bool, zone.stop - zone.start)

    def _outside(self, aggregates: frozenset[str], zone: slice) -> Bools:
        return np.fromiter(
            (not aggregates <= h.aggregates for h in self.world.hosts[zone]), bool, zone.stop - zone.start
        )


def open_destinations(
    world: World, policy: Policy, found: Diagnosis, ledger: Ledger, standing: Standing
) -> Destinations:
    """Which hosts may receive at all: up, measured, with capacity, without steal, neither hot nor excluded."""
    worst = np.zeros(len(world.hosts))
    stayed = ~_just_arrived(world)
    np.maximum.at(worst, world.host_of[stayed], found.steal[stayed])
    receives = world.up & (world.cpus > 0) & ~found.blind & ~found.hot & (worst <= policy.destination.max_steal)
    if policy.exclude.hosts:
        receives &= np.fromiter((not standing.host_excluded(h.name) for h in world.hosts), bool, len(world.hosts))
    floors = np.maximum(world.cpus, 1e-9), np.maximum(world.memory_mib, 1).astype(float)
    return Destinations(world, policy, found, ledger, standing, worst, *floors, receives)


def _just_arrived(world: World) -> Bools:
    """Servers whose readings still tell of the host that they came from."""
    since = world.snapshot.taken_at - timedelta(seconds=SETTLE_S)
    arrived = {m.server for m in world.snapshot.past if m.done and m.ended > since}
    if not arrived:
        return np.zeros(len(world.servers), bool)
    return np.fromiter((id_ in arrived for id_ in world.readings.ids), bool, len(world.servers))
