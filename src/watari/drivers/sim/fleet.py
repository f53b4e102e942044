"""Where every server is and how every host stands, as arrays and as the model's values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from watari.drivers.sim.contention import IntArray
from watari.drivers.sim.spec import SimSpec
from watari.errors import BadInput
from watari.model.compute import Host, HostName, HostState, Server, ServerId

OUT: tuple[HostState, ...] = ("disabled", "draining")


class Fleet:
    """Servers and hosts are numbered as in the spec. Values are made anew only for what changed.

    `host_of`: each server's host. `running`: 1 for servers that run, 0 for those that are off or were lost with their
    host. `absent`: servers that are not there yet, or not any more. The mappings that `servers` and `hosts` return are
    never changed afterwards, so they can be part of a snapshot.
    """

    def __init__(self, spec: SimSpec) -> None:
        self.spec = spec
        self.server_ids: tuple[ServerId, ...] = tuple(server.id for server in spec.servers)
        self.host_names: tuple[HostName, ...] = tuple(host.name for host in spec.hosts)
        self.server_number = {server: k for k, server in enumerate(self.server_ids)}
        self.host_number = {host: k for k, host in enumerate(self.host_names)}
        self.host_of = spec.placement.copy()
        self.running = spec.running.copy()
        self.absent = np.zeros(len(spec.servers), np.bool_)
        self.any_off = bool((self.running == 0).any())
        self.changes = 0  # of placement or of what runs
        self._servers: dict[ServerId, Server] = {server.id: server for server in spec.servers}
        self._hosts: dict[HostName, Host] = {host.name: host for host in spec.hosts}
        self._fresh: dict[ServerId, Server] = {}
        self._touched: set[int] = set()  # servers that may differ from the spec
        self._disabled = {h.name: h.state_note for h in spec.hosts if h.state in OUT}  # kept while the host is down
        self._fell: dict[HostName, str] = {}  # why hosts are down

    @property
    def servers(self) -> Mapping[ServerId, Server]:
        if self._fresh:
            self._servers = self._servers | self._fresh
            self._fresh = {}
        return self._servers

    @property
    def hosts(self) -> Mapping[HostName, Host]:
        return self._hosts

    def server(self, number: int) -> Server:
        """Also one that is absent, as it last was or will be."""
        id = self.server_ids[number]
        return self._fresh.get(id) or self._servers.get(id) or self.spec.servers[number]

    def host(self, number: int) -> Host:
        return self._hosts[self.host_names[number]]

    def on(self, host: int) -> list[Server]:
        """The servers of a host."""
        return [self.server(k) for k in np.flatnonzero((self.host_of == host) & ~self.absent).tolist()]

    def is_there(self, server: ServerId) -> bool:
        number = self.server_number.get(server)
        return number is not None and not self.absent[number]

    def put(self, server: int, status: str, *, host: int | None = None, running: bool | None = None) -> None:
        """Give a server another status, and another host or power state where they are named."""
        before = self.server(server)
        if host is not None and host != self.host_of[server]:
            self.host_of[server] = host
            self.changes += 1
        if running is not None and running != bool(self.running[server]):
            self.running[server] = float(running)
            self.any_off = bool((self.running == 0).any())
            self.changes += 1
        self._fresh[before.id] = replace(before, host=self.host_names[self.host_of[server]], status=status)
        self._touched.add(server)

    def lose(self, host: int) -> None:
        """The servers of this host stop; they are ERROR from now on, even when the host comes back."""
        for k in np.flatnonzero((self.host_of == host) & (self.running > 0)).tolist():
            self.put(k, "ERROR", running=False)

    # Servers that come and go

    def come(self, servers: IntArray, hosts: IntArray) -> None:
        """Servers of the spec that were absent are there, as the spec has them; where their host is full, elsewhere."""
        for k, host in zip(servers.tolist(), hosts.tolist(), strict=True):
            there = self.shelter(k, host)
            self.absent[k] = False
            self.put(k, self.spec.servers[k].status, host=there, running=bool(self.spec.running[k]))

    def go(self, servers: IntArray) -> None:
        """Servers are there no more."""
        self.absent[servers], self.running[servers] = True, 0.0
        gone = {self.server_ids[k] for k in servers.tolist()}
        self._servers = {id: server for id, server in self.servers.items() if id not in gone}
        self.any_off = bool((self.running == 0).any())
        self.changes += 1

    def shelter(self, server: int, wish: int) -> int:
        """Where a server starts: on the host of its wish, or on its zone's with the most free memory if that is full.

        If all are full, where it wishes.
        """
        hosts, need = self.spec.hosts, self.spec.memory_mib[server]
        taken = np.where(self.absent, 0.0, self.spec.memory_mib)
        free = np.array([host.memory_mib for host in hosts]) - np.bincount(self.host_of, taken, len(hosts))
        if free[wish] >= need:
            return wish
        fit = [k for k, host in enumerate(hosts) if host.zone == hosts[wish].zone and self.host(k).state == "up"]
        best = max(fit, key=lambda k: (free[k], self.host_names[k]), default=wish)
        return best if free[best] >= need else wish

    # Hosts

    def set_state(self, host: int, state: HostState, note: str) -> None:
        """Raises BadInput for a state that hosts do not have."""
        if state not in get_args(HostState):
            raise BadInput(f"a host cannot be {state!r}; it is one of {', '.join(get_args(HostState))}")
        name = self.host_names[host]
        self._fell.pop(name, None)
        if state == "down":
            self._fell[name] = note
        elif state in OUT:
            self._disabled[name] = note
        else:
            self._disabled.pop(name, None)
        self._stand(name, state, note)

    def disable(self, host: int, reason: str) -> None:
        """Nothing comes any more. A host that is down stays down, and is disabled when it is back."""
        name = self.host_names[host]
        self._disabled[name] = reason
        self._stand(name, "down" if self.host(host).state == "down" else "disabled", reason)

    def enable(self, host: int) -> None:
        """What comes is welcome again. A host that is down stays down."""
        name = self.host_names[host]
        self._disabled.pop(name, None)
        if self.host(host).state == "down":
            self._stand(name, "down", self._fell.get(name, ""))
        else:
            self._stand(name, "up", "")

    def revive(self, host: int) -> None:
        """A host that is down is back, and still disabled if it was."""
        name = self.host_names[host]
        if self.host(host).state != "down":
            return
        self._fell.pop(name, None)
        reason = self._disabled.get(name)
        self._stand(name, "up" if reason is None else "disabled", reason or "")

    def _stand(self, name: HostName, state: HostState, note: str) -> None:
        self._hosts = self._hosts | {name: replace(self._hosts[name], state=state, state_note=note)}

    # State between two processes

    def to_state(self) -> dict[str, Any]:
        """For JSON: what differs from the spec."""
        touched = ((k, self.server(k)) for k in sorted(self._touched))
        return {
            "servers": {now.id: [now.host, now.status, bool(self.running[k])] for k, now in touched},
            "hosts": {
                before.name: [now.state, now.state_note]
                for before in self.spec.hosts
                if (now := self._hosts[before.name]) != before
            },
            "disabled": dict(sorted(self._disabled.items())),
            "fell": dict(sorted(self._fell.items())),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, ValueError, TypeError or BadInput when it is not a state of this fleet."""
        for server, (host, status, running) in state["servers"].items():
            self.put(self.server_number[server], str(status), host=self.host_number[host], running=bool(running))
        for host, (word, note) in state["hosts"].items():
            self.set_state(self.host_number[host], cast(HostState, word), note)
        self._disabled = {HostName(host): str(reason) for host, reason in state["disabled"].items()}
        self._fell = {HostName(host): str(why) for host, why in state["fell"].items()}
