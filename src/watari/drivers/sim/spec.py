"""What a simulated cloud is made of before its first second."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from watari.drivers.sim.contention import FloatArray, IntArray
from watari.errors import BadInput
from watari.model.compute import Host, Server, ServerGroup, ZoneName

OFF = frozenset({"SHUTOFF", "STOPPED", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"})  # guests that do not run


@dataclass(frozen=True)  # without slots: cached_property needs a __dict__
class SimSpec:
    """Hosts, servers with the host each starts on, and groups. `roles` names each server's kind of work, in order.

    A server whose status is one of `OFF` demands nothing, whatever the demand says.

    Raises BadInput for doubled names, servers on unknown hosts or without vCPUs, and hosts without threads.
    """

    name: str
    hosts: tuple[Host, ...]
    servers: tuple[Server, ...]
    groups: tuple[ServerGroup, ...] = ()
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _no_doubles("host", (host.name for host in self.hosts))
        _no_doubles("server", (server.id for server in self.servers))
        known = {host.name for host in self.hosts}
        for host in self.hosts:
            if not host.cpus > 0:
                raise BadInput(f"host {host.name} has {host.cpus} threads; a host that runs servers has at least one")
        for server in self.servers:
            if server.host not in known:
                raise BadInput(f"server {server.id} is on host {server.host}, which the cloud does not have")
            if server.vcpus < 1:
                raise BadInput(f"server {server.id} has {server.vcpus} vCPUs; it needs at least one")
        if self.roles and len(self.roles) != len(self.servers):
            raise BadInput(f"{len(self.roles)} roles for {len(self.servers)} servers; there must be one for each")

    @property
    def zones(self) -> tuple[ZoneName, ...]:
        return tuple(dict.fromkeys(host.zone for host in self.hosts))

    @cached_property
    def vcpus(self) -> FloatArray:
        """vCPUs per server, in order."""
        return np.array([server.vcpus for server in self.servers], dtype=np.float64)

    @cached_property
    def threads(self) -> FloatArray:
        """Hardware threads per host, in order."""
        return np.array([host.cpus for host in self.hosts], dtype=np.float64)

    @cached_property
    def memory_mib(self) -> FloatArray:
        """Memory per server, in order."""
        return np.array([server.memory_mib for server in self.servers], dtype=np.float64)

    @cached_property
    def running(self) -> FloatArray:
        """1 for servers that run at the start, 0 for those that are off."""
        return np.array([server.status not in OFF for server in self.servers], dtype=np.float64)

    @cached_property
    def placement(self) -> IntArray:
        """Index of each server's first host."""
        index = {host.name: k for k, host in enumerate(self.hosts)}
        return np.array([index[server.host] for server in self.servers], dtype=np.intp)


def _no_doubles(kind: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise BadInput(f"{kind} {name} is there {times} times; every {kind} needs a name of its own")
