"""Where every server is and how every host stands, as arrays and as the model's values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from watari.drivers.sim.spec import SimSpec
from watari.errors import BadInput
from watari.model.compute import Host, HostName, HostState, Server, ServerId


class Fleet:
    """Servers and hosts are numbered as in the spec. Values are made anew only for what changed.

    `host_of`: each server's host. `alive`: 1 for servers that run, 0 for those lost with their host. The mappings that
    `servers` and `hosts` return are never changed afterwards, so they can be part of a snapshot.
    """

    def __init__(self, spec: SimSpec) -> None:
        self.spec = spec
        self.server_ids: tuple[ServerId, ...] = tuple(server.id for server in spec.servers)
        self.host_names: tuple[HostName, ...] = tuple(host.name for host in spec.hosts)
        self.server_number = {server: k for k, server in enumerate(self.server_ids)}
        self.host_number = {host: k for k, host in enumerate(self.host_names)}
        self.host_of = spec.placement.copy()
        self.alive = np.ones(len(spec.servers))
        self.any_lost = False
        self.changes = 0  # of placement or life
        self._servers: dict[ServerId, Server] = {server.id: server for server in spec.servers}
        self._hosts: dict[HostName, Host] = {host.name: host for host in spec.hosts}
        self._fresh: dict[ServerId, Server] = {}

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
        id = self.server_ids[number]
        return self._fresh.get(id) or self._servers[id]

    def on(self, host: int) -> list[Server]:
        """The servers of a host."""
        return [self.server(k) for k in np.flatnonzero(self.host_of == host).tolist()]

    def place(self, server: int, host: int) -> None:
        self.host_of[server] = host
        self._change(server, host=self.host_names[host])

    def lose(self, host: int) -> None:
        """The servers of this host stop; they are ERROR from now on, even when the host comes back."""
        for k in np.flatnonzero((self.host_of == host) & (self.alive > 0)).tolist():
            self.alive[k] = 0.0
            self.any_lost = True
            self._change(k, status="ERROR")

    def set_state(self, host: int, state: HostState, note: str) -> None:
        """Raises BadInput for a state that hosts do not have."""
        if state not in get_args(HostState):
            raise BadInput(f"a host cannot be {state!r}; it is one of {', '.join(get_args(HostState))}")
        name = self.host_names[host]
        self._hosts = self._hosts | {name: replace(self._hosts[name], state=state, state_note=note)}

    def to_state(self) -> dict[str, Any]:
        """For JSON: what differs from the spec."""
        moved = np.flatnonzero(self.host_of != self.spec.placement).tolist()
        return {
            "moved": {self.server_ids[k]: self.host_names[self.host_of[k]] for k in moved},
            "lost": [self.server_ids[k] for k in np.flatnonzero(self.alive == 0).tolist()],
            "hosts": {
                before.name: [now.state, now.state_note]
                for before in self.spec.hosts
                if (now := self._hosts[before.name]) != before
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, ValueError or BadInput when it is not a state of this fleet."""
        for server, host in state["moved"].items():
            self.place(self.server_number[server], self.host_number[host])
        for server in state["lost"]:
            k = self.server_number[server]
            self.alive[k] = 0.0
            self.any_lost = True
            self._change(k, status="ERROR")
        for host, (word, note) in state["hosts"].items():
            self.set_state(self.host_number[host], cast(HostState, word), note)

    def _change(self, server: int, *, host: HostName | None = None, status: str | None = None) -> None:
        before = self.server(server)
        after = replace(before, host=host or before.host, status=status or before.status)
        self._fresh[after.id] = after
        self.changes += 1
