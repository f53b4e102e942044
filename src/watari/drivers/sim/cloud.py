"""A cloud in memory and in virtual time, behind the ports of the real one."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watari.drivers.sim.contention import Contention, FloatArray, IntArray, contend
from watari.drivers.sim.demand import Demand
from watari.drivers.sim.faults import Faults, HostDeath
from watari.drivers.sim.fleet import Fleet
from watari.drivers.sim.metering import Metering
from watari.drivers.sim.migration import SOON_S
from watari.drivers.sim.moves import Moves
from watari.drivers.sim.spec import SimSpec
from watari.errors import BadInput, Refused
from watari.model.compute import Flight, Host, HostName, HostState, Load, Server, ServerId
from watari.ports import Inventory, Migration, MigrationId, MigrationKind, Style

FORMAT = 2  # of the saved state


class SimCloud:
    """Compute, Meter and Clock of a simulated cloud.

    Demand is sampled every `step_s` seconds, whatever spans time is advanced by; moves, deaths and slow links happen at
    their own moments in between. The same spec, demand, faults and calls give the same digits.

    Servers and hosts are numbered as in the spec; arrays are per server or per host in that order.
    """

    limits_moves = False  # as in OpenStack, which it stands for; a scenario may say otherwise

    def __init__(
        self,
        spec: SimSpec,
        demand: Demand,
        start: datetime,
        *,
        step_s: float = 15.0,
        meter_window_s: float = 60.0,
        faults: Faults | None = None,
    ) -> None:
        if start.tzinfo is None:
            raise BadInput(f"the start {start} has no time zone; give one, for example UTC")
        if not (step_s > 0 and meter_window_s > 0):
            raise BadInput(f"the step, {step_s} s, and the metering window, {meter_window_s} s, must be over 0")
        if (shape := demand.cores(0.0).shape) != spec.vcpus.shape:
            raise BadInput(f"the demand is for {shape[0]} servers, the cloud {spec.name} has {len(spec.servers)}")
        self.spec = spec
        self.start = start
        self.step_s = step_s
        self.faults = faults or Faults()
        self._demand = demand
        self._fleet = Fleet(spec)
        self._groups = {group.id: group for group in spec.groups}
        self._links = np.array([host.link_mib_s for host in spec.hosts], dtype=np.float64)
        self._moves = Moves(self._fleet, self.faults, self._links.copy(), start)
        self._copies = self._moves.copies
        self._died: set[HostDeath] = set()
        self._silent: set[int] = set()
        self._hushed = np.zeros(len(spec.servers), np.bool_)
        self._twin_of = spec.placement.copy()  # each server's host in the do-nothing twin
        self._faults_seen = -1
        self._faults_due_s = math.inf
        self._no_extra = np.zeros(len(spec.hosts))
        self._all_ran = not self._fleet.any_off
        self._metering = Metering(self.server_ids, start, max(1, round(meter_window_s / step_s)))
        self._now_s = 0.0
        self._ticks = 0
        self._wanted: FloatArray = np.empty(0)  # as the demand gave it at the last tick
        self._basis: int | None = (
            None  # changes of the fleet when contention was computed; None: copies had a part in it
        )
        self._shadow: tuple[FloatArray, Contention] | None = None
        self._tick(0.0)
        self._see_faults(0.0)

    # Clock

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self._now_s)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass. Raises BadInput for a negative or infinite span."""
        if not (0 <= seconds < math.inf):
            raise BadInput(f"time cannot advance by {seconds} s; give a number from 0 on")
        self._see_new_faults()
        until_s = round(self._now_s + seconds, 6)  # whole microseconds, as datetime: sums of spans do not drift
        while (due_s := min(self._ticks * self.step_s, self._copies.next_s(), self._faults_due_s)) <= until_s + SOON_S:
            self._now_s = due_s = max(due_s, self._now_s)
            if self._faults_due_s <= due_s:
                self._see_faults(due_s)
            if self._copies.next_s() <= due_s + SOON_S:
                self._moves.turn(due_s, self.contention.got)
            if self._ticks * self.step_s <= due_s + SOON_S:
                self._tick(due_s)
        self._now_s = until_s

    # Compute

    def inventory(self) -> Inventory:
        self._call()
        self._moves.forget(self._now_s)
        return Inventory(
            cloud=self.spec.name, hosts=self._fleet.hosts, servers=self._fleet.servers, groups=self._groups,
            flights=self._moves.flights(), past=tuple(self._moves.past),
        )  # fmt: skip

    def flights(self) -> tuple[Flight, ...]:
        self._call()
        return self._moves.flights()

    def locate(self, server: ServerId) -> Server | None:
        self._call()
        fleet = self._fleet
        return fleet.server(fleet.server_number[server]) if fleet.is_there(server) else None

    def host(self, name: HostName) -> Host | None:
        self._call()
        return self._fleet.hosts.get(name)

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        self._call()
        if bandwidth_mib_s is not None and not bandwidth_mib_s > 0:
            raise Refused(
                f"a bandwidth of {bandwidth_mib_s} MiB/s moves nothing; give more than 0, or none for no limit"
            )
        return self._moves.request("live", server, target, self._now_s, bandwidth_mib_s)

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        self._call()
        return self._moves.request("cold", server, target, self._now_s)

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        """Without a target, the host of its zone with the most free memory takes the server."""
        self._call()
        return self._moves.request("evacuation", server, target, self._now_s)

    def migration(self, id: MigrationId) -> Migration:
        self._call()
        return self._moves.report(self._moves[id], self._now_s)

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        self._call()
        copy = self._moves.newest(kind, server, target, since)
        return None if copy is None else self._moves.report(copy, self._now_s)

    def abort_migration(self, id: MigrationId) -> None:
        self._call()
        self._moves.abort(id, self._now_s)

    def force_migration(self, id: MigrationId) -> None:
        self._call()
        self._moves.force(id, self._now_s)

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        self._call()
        self._moves.limit(id, mib_s, self._now_s)

    def confirm_migration(self, id: MigrationId) -> None:
        self._call()
        self._moves.confirm(id, self._now_s)

    def revert_migration(self, id: MigrationId) -> None:
        self._call()
        self._moves.revert(id, self._now_s)

    def disable_host(self, host: HostName, reason: str) -> None:
        self._call()
        self._fleet.disable(self._host_number(host), reason)

    def enable_host(self, host: HostName) -> None:
        self._call()
        self._fleet.enable(self._host_number(host))

    # Meter

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        """Means over the metering window, as of the last step."""
        self._see_new_faults()
        host_of, quiet = self._fleet.host_of, frozenset[int]()
        if self._fleet.any_off or self._silent or self._hushed.any():
            mute = (self._fleet.running == 0) | np.isin(host_of, sorted(self._silent)) | self._hushed
            quiet = frozenset(np.flatnonzero(mute).tolist())
        return self._metering.read(servers, quiet, host_of)

    # For whoever looks on

    @property
    def server_ids(self) -> tuple[ServerId, ...]:
        return self._fleet.server_ids

    @property
    def host_names(self) -> tuple[HostName, ...]:
        return self._fleet.host_names

    @property
    def host_index(self) -> IntArray:
        """Each server's present host, a read-only view."""
        view = self._fleet.host_of.view()
        view.setflags(write=False)
        return view

    @property
    def contention(self) -> Contention:
        """What every server got in the last step; not to be changed."""
        return self._contention

    def shadow_contention(self) -> Contention:
        """The same demand if nothing had ever been moved, without copies and without deaths: the do-nothing twin."""
        if self._shadow is None or self._shadow[0] is not self._wanted:
            spec = self.spec
            wanted = self._wanted if self._all_ran else self._wanted * spec.running
            twin = contend(wanted, spec.vcpus, self._twin_of, spec.threads, self._no_extra)
            self._shadow = self._wanted, twin
        return self._shadow[1]

    def flights_progress(self) -> list[Migration]:
        """The moves under way, oldest first."""
        return [self._moves.report(copy, self._now_s) for copy in self._copies.under_way]

    def downtime_s(self, id: MigrationId) -> float:
        """For how long the guest was stopped: 0 until it runs at the target. Raises Refused for an unknown id."""
        return self._moves[id].downtime_s

    def set_host_state(self, name: HostName, state: HostState, note: str = "") -> None:
        """What an operator does to a host; "down" kills it. Raises BadInput for an unknown host or state."""
        number = self._named(name)
        self._fleet.set_state(number, state, note)
        if state == "down":
            self._lose(number, self._now_s)

    def revive_host(self, name: HostName) -> None:
        """A host that was down answers again, disabled if it was; what was lost with it stays lost. Raises BadInput."""
        self._fleet.revive(self._named(name))

    # For replays of a history; no part of a saved state. Servers and hosts by their numbers.

    @property
    def twin_index(self) -> IntArray:
        """Each server's host in the do-nothing twin; not to be changed."""
        return self._twin_of

    def come(self, servers: IntArray, hosts: IntArray) -> None:
        """Servers that were gone are there, on these hosts; where one is full, on another of its zone."""
        self._fleet.come(servers, hosts)
        self.displace_twin(servers, hosts)

    def go(self, servers: IntArray) -> None:
        """Servers are deleted, whatever they were at; in the twin they ask for nothing any more."""
        self._moves.drop(frozenset(servers.tolist()), self._now_s, "the server was deleted")
        self._fleet.go(servers)

    def displace(self, servers: IntArray, hosts: IntArray) -> None:
        """Somebody else has taken servers to these hosts, at once, or near them if they are full."""
        self._moves.drop(frozenset(servers.tolist()), self._now_s, "its host is gone")
        for k, host in zip(servers.tolist(), hosts.tolist(), strict=True):
            self._fleet.put(k, self._fleet.server(k).status, host=self._fleet.shelter(k, host))

    def displace_twin(self, servers: IntArray, hosts: IntArray) -> None:
        """The same in the do-nothing twin."""
        self._twin_of[servers], self._shadow = hosts, None

    def hush(self, servers: NDArray[np.bool_]) -> None:
        """From now on these servers (and no others) send no loads."""
        self._hushed = servers

    def _named(self, name: HostName) -> int:
        number = self._fleet.host_number.get(name)
        if number is None:
            raise BadInput(f"the cloud {self.spec.name} has no host {name}")
        return number

    # State between two processes

    def to_state(self) -> dict[str, Any]:
        """All that is needed to go on as if nothing had happened, ready for JSON; spec and demand are given again."""
        self._moves.forget(self._now_s)
        died = sorted([death.host, death.at_s, death.text] for death in self._died)
        latest = asdict(self._contention)
        return {
            "format": FORMAT, "cloud": self.spec.name, "servers": len(self.server_ids), "hosts": len(self.host_names),
            "start": self.start.isoformat(), "step_s": self.step_s, "now_s": self._now_s, "ticks": self._ticks,
            "fleet": self._fleet.to_state(), "metering": self._metering.to_state(), "moves": self._moves.to_state(),
            "latest": {key: value.tolist() for key, value in latest.items()},
            "faults": self.faults.to_state(), "died": died,
        }  # fmt: skip

    @classmethod
    def from_state(
        cls,
        state: dict[str, Any],
        spec: SimSpec,
        demand: Demand,
        *,
        meter_window_s: float = 60.0,
        faults: Faults | None = None,
    ) -> "SimCloud":
        """The cloud that `to_state` saved. Raises BadInput when the state is another cloud's, or damaged."""
        try:
            if state["format"] != FORMAT:
                raise BadInput(f"the saved cloud has format {state['format']}, this version reads {FORMAT}")
            size = spec.name, len(spec.servers), len(spec.hosts)
            if (state["cloud"], state["servers"], state["hosts"]) != size:
                raise BadInput(f"the saved cloud is {state['cloud']}, not {spec.name}")
            start = datetime.fromisoformat(state["start"])
            cloud = cls(spec, demand, start, step_s=state["step_s"], meter_window_s=meter_window_s, faults=faults)
            cloud._restore(state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as why:
            raise BadInput(f"the saved cloud {spec.name} is damaged ({why!r})") from why
        return cloud

    def _restore(self, state: dict[str, Any]) -> None:
        self._fleet.restore(state["fleet"])
        self._metering.restore(state["metering"])
        self.faults.restore(state["faults"])
        self._died = {HostDeath(HostName(host), at_s, text) for host, at_s, text in state["died"]}
        self._now_s, self._ticks = float(state["now_s"]), int(state["ticks"])
        self._copies.link_mib_s[:] = self._links_at(self._now_s)  # they are shared out already: nothing is to change
        self._moves.restore(state["moves"])
        latest = {key: np.array(value, dtype=np.float64) for key, value in state["latest"].items()}
        self._contention = Contention(**latest)
        self._wanted = self._demand.cores((self._ticks - 1) * self.step_s)
        self._basis = None
        self._see_faults(self._now_s)

    # What happens as time passes

    def _tick(self, t_s: float) -> None:
        """Sample the demand, share the hosts out, meter it. Copies count with what they moved since the last tick."""
        before, self._wanted = self._wanted, self._demand.cores(t_s)
        cores = self._wanted * self._fleet.running if self._fleet.any_off else self._wanted
        copied = self._copies.cpu_cores(t_s, self.step_s)
        basis = None if copied is not None else self._fleet.changes
        if self._wanted is not before or basis is None or basis != self._basis:
            spec, extra = self.spec, self._no_extra if copied is None else copied
            self._contention = contend(cores, spec.vcpus, self._fleet.host_of, spec.threads, extra)
        self._basis = basis
        self._metering.take(t_s, self._contention, cores)
        self._ticks += 1

    def _see_new_faults(self) -> None:
        if self.faults.added != self._faults_seen:
            self._see_faults(self._now_s)

    def _see_faults(self, t_s: float) -> None:
        number = self._fleet.host_number
        if strange := self.faults.hosts() - number.keys():
            raise BadInput(f"a fault names host {min(strange)}, which the cloud {self.spec.name} does not have")
        for death in self.faults.dead(t_s):
            if death not in self._died:
                self._died.add(death)
                self._fleet.set_state(number[death.host], "down", death.text)
                self._lose(number[death.host], t_s)
        links = self._links_at(t_s)
        if (links != self._copies.link_mib_s).any():
            self._copies.link_mib_s[:] = links
            self._moves.share(t_s)
        self._metering.freeze({number[host] for host in self.faults.stale(t_s)}, self._fleet.host_of)
        self._silent = {number[host] for host in self.faults.silent(t_s)}
        self._faults_due_s = self.faults.next_change_s(t_s)
        self._faults_seen = self.faults.added

    def _links_at(self, t_s: float) -> FloatArray:
        links = self._links.copy()
        for host, factor in self.faults.slow(t_s).items():
            links[self._fleet.host_number[host]] *= factor
        return links

    def _lose(self, host: int, t_s: float) -> None:
        """The host is gone: its servers with it; moves to and from it fail, and leave servers where they were."""
        self._moves.lose(host, t_s)
        self._fleet.lose(host)

    def _call(self) -> None:
        self._see_new_faults()
        self.faults.call(self._now_s)

    def _host_number(self, name: HostName) -> int:
        number = self._fleet.host_number.get(name)
        if number is None:
            raise Refused(f"the cloud has no host {name}")
        return number
