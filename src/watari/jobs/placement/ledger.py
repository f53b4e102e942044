"""Running totals per host while a plan is being made: what every host would carry if the moves so far were done.

Places count twice until a move is over: the target's memory, disk, vCPUs and role are taken at once, the source's are
not given back, so that any subset of the plan's moves, in any order, keeps every rule. Only CPU leaves the source.
"""

from dataclasses import dataclass

import numpy as np

from watari.jobs.placement.detect import Diagnosis
from watari.jobs.placement.world import Bools, Floats, Ints, World
from watari.policy.values import Policy


@dataclass(slots=True)
class Ledger:
    """Mutable arrays over hosts. `levels[k, h]`: demand now (row 0) and in the coming slots, in cores."""

    world: World
    policy: Policy
    demands: Floats  # [k, server]: now and in the coming slots
    mean: Floats  # per server
    variance: Floats
    levels: Floats
    host_mean: Floats
    host_variance: Floats
    memory_free: Floats
    disk_free: Floats
    vcpus_free: Floats
    arrivals: dict[int, Ints]  # role -> servers planned per host, only for touched roles
    departures: dict[tuple[int, int], int]  # (role, host) -> servers planned to leave, or leaving
    inbound: dict[tuple[int, int], int]  # (role, host) -> servers flying to it
    ceiling: Floats  # cores that a host may be asked for after the plan: its CPU, or the policy's share of it
    guests: dict[int, set[int]]  # host -> servers planned or flying to it
    cautious: bool  # False: no deviation is known, mean and demand now are one
    bold: Bools  # hosts that cannot be relieved with caution: demand now and the forecast have to do
    of_role: Ints  # servers sorted by role; role r is of_role[role_edges[r]:role_edges[r + 1]]
    role_edges: Ints

    def need(self) -> Floats:
        """Cores that each host has to give: now, in the coming slots, and cautiously (mean plus deviations)."""
        return self._worst(self.levels, self.host_mean, self.host_variance)

    def need_without(self, h: int, gone: Ints) -> float:
        """`need` of one host if the servers `gone` left it."""
        levels = self.levels[:, h] - self.demands[:, gone].sum(axis=1)
        if not self.cautious or self.bold[h]:
            return float(levels.max())
        mean = self.host_mean[h] - self.mean[gone].sum()
        variance = max(0.0, self.host_variance[h] - self.variance[gone].sum())
        return max(float(levels.max()), float(mean + self.policy.destination.caution * np.sqrt(variance)))

    def need_with(self, hosts: slice, s: int, *, boldly: bool = False) -> Floats:
        """`need` of each host of the slice if server `s` came; `boldly`: without the deviations."""
        levels = self.levels[:, hosts] + self.demands[:, s, None]
        if boldly or not self.cautious:
            return _highest(levels)
        return self._worst(levels, self.host_mean[hosts] + self.mean[s], self.host_variance[hosts] + self.variance[s])

    def weight(self, s: Ints) -> Floats:
        """What a server takes off its host, at most: the order in which servers are tried."""
        weight: Floats = np.maximum(self.demands[:, s].max(axis=0), self.mean[s])
        return weight

    def same_role(self, role: int, hosts: slice) -> Ints:
        """Servers of the role per host, planned arrivals included, planned departures not taken off."""
        if role < 0:
            return np.zeros(hosts.stop - hosts.start, np.int64)
        return self._role_row(role)[hosts]

    def role_at_source(self, role: int, h: int) -> int:
        """Servers of the role that stay on host `h`, itself included while its move is being weighed.

        Those that fly to it are not counted: their move may fail.
        """
        if role < 0:
            return 0
        return int(self._role_row(role)[h]) - self.departures.get((role, h), 0) - self.inbound.get((role, h), 0)

    def all_of_role(self, role: int, hosts: slice) -> Bools:
        """Hosts that would have all servers of the role if one more came."""
        members = int(self.role_edges[role + 1] - self.role_edges[role])
        alone: Bools = self._role_row(role)[hosts] + 1 >= members
        return alone

    def move(self, s: int, source: int, target: int) -> None:
        """Book a move."""
        self.levels[:, source] -= self.demands[:, s]
        self.levels[:, target] += self.demands[:, s]
        for column, value in ((self.host_mean, self.mean[s]), (self.host_variance, self.variance[s])):
            column[source] -= value
            column[target] += value
        self.memory_free[target] -= self.world.server_memory_mib[s]
        self.disk_free[target] -= self.world.server_disk_gib[s]
        self.vcpus_free[target] -= self.world.vcpus[s]
        self.guests.setdefault(target, set()).add(s)
        role = int(self.world.role_of[s])
        if role >= 0:
            self._role_row(role)[target] += 1
            self.departures[role, source] = self.departures.get((role, source), 0) + 1

    def _worst(self, levels: Floats, mean: Floats, variance: Floats) -> Floats:
        """The highest level, or the cautious one if that is higher. levels[k, host]."""
        if not self.cautious:
            return _highest(levels)
        return np.maximum(_highest(levels), mean + self.policy.destination.caution * np.sqrt(np.maximum(variance, 0.0)))

    def _role_row(self, role: int) -> Ints:
        row = self.arrivals.get(role)
        if row is None:
            members = self.of_role[self.role_edges[role] : self.role_edges[role + 1]]
            world = self.world
            row = np.bincount(world.host_of[members], minlength=len(world.hosts))
            bound = world.bound_for[members]
            row = row + np.bincount(bound[bound >= 0], minlength=len(world.hosts))
            self.arrivals[role] = row
        return row


def open_ledger(world: World, policy: Policy, found: Diagnosis) -> Ledger:
    """The ledger before the first move; migrations under way are booked already."""
    order = np.argsort(world.role_of, kind="stable")
    edges = np.searchsorted(world.role_of[order], np.arange(len(world.role_names) + 1))
    demands = np.vstack([found.now[None, :], found.ahead]) if len(found.ahead) else found.now[None, :]
    flying = np.flatnonzero(world.bound_for >= 0)
    guests: dict[int, set[int]] = {}
    departures: dict[tuple[int, int], int] = {}
    inbound: dict[tuple[int, int], int] = {}
    for s in flying.tolist():
        guests.setdefault(int(world.bound_for[s]), set()).add(s)
        leaves = int(world.role_of[s]), int(world.host_of[s])
        departures[leaves] = departures.get(leaves, 0) + 1
        comes = int(world.role_of[s]), int(world.bound_for[s])
        inbound[comes] = inbound.get(comes, 0) + 1
    shares = (1.0, policy.detect.host_over or 1.0, policy.look_ahead.over if len(found.ahead) else 1.0)
    return Ledger(
        world=world,
        policy=policy,
        demands=demands,
        mean=found.mean,
        variance=found.variance,
        levels=np.stack([world.host_sum(row) for row in demands]),
        host_mean=world.host_sum(found.mean),
        host_variance=world.host_sum(found.variance),
        memory_free=_free(world, world.memory_mib, world.server_memory_mib, flying),
        disk_free=_free(world, world.disk_gib, world.server_disk_gib, flying),
        vcpus_free=_free(world, world.vcpu_limit, world.vcpus, flying),
        arrivals={},
        departures=departures,
        inbound=inbound,
        ceiling=min(shares) * world.cpus * (1 + 1e-9),
        guests=guests,
        cautious=bool(found.variance.any()),
        bold=np.zeros(len(world.hosts), bool),
        of_role=order,
        role_edges=edges,
    )


def relieved(ledger: Ledger, h: int, without: Ints) -> bool:
    """Would host `h` be under its ceiling if the servers `without` left?"""
    return ledger.need_without(h, without) <= float(ledger.ceiling[h])


def _highest(levels: Floats) -> Floats:
    top: Floats = levels[0] if len(levels) == 1 else levels.max(axis=0)
    return top


def _free(world: World, have: Floats | Ints, per_server: Floats | Ints, flying: Ints) -> Floats:
    """Room per host, with the place of a migrating server taken on both sides."""
    n = len(world.hosts)
    used: Floats = np.bincount(world.host_of, per_server, n).astype(float)
    used += np.bincount(world.bound_for[flying], per_server[flying], n)
    return have - used
