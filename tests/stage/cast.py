"""Who plays in a story: hosts, servers and groups as they are written, and the cloud that is made of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from watari.drivers.sim.contention import FloatArray
from watari.drivers.sim.spec import SimSpec
from watari.model.compute import GroupId, GroupPolicy, Host, HostName, Server, ServerGroup, ServerId, ZoneName

Options = Mapping[str, str]
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
POLICIES: dict[str, GroupPolicy] = {
    "affinity": "affinity",
    "anti-affinity": "anti-affinity",
    "soft-affinity": "soft-affinity",
    "soft-anti-affinity": "soft-anti-affinity",
}


def seconds(text: str) -> float:
    """`90s`, `2m`, `1h30m`."""
    parts = re.findall(r"([\d.]+)([smhd])", text)
    if "".join(f"{n}{unit}" for n, unit in parts) != text:
        raise ValueError(f"{text!r} is not a time; write for example 90s, 2m or 1h30m")
    return sum(float(n) * UNITS_S[unit] for n, unit in parts)


def share(text: str) -> float:
    """`60%` as 0.6."""
    return float(text.removesuffix("%")) / 100


def gib(text: str) -> int:
    return int(text.removesuffix("G"))


def numbered(word: str) -> list[str]:
    """`web-1..3` is web-1, web-2 and web-3."""
    match = re.fullmatch(r"(.*?)(\d+)\.\.(\d+)", word)
    if match is None:
        return [word]
    return [f"{match[1]}{n}" for n in range(int(match[2]), int(match[3]) + 1)]


class ScriptedDemand:
    """Every server asks for the same cores until the story says otherwise."""

    def __init__(self, cores: Sequence[float]) -> None:
        self._cores: FloatArray = np.array(cores, dtype=np.float64)

    def cores(self, t_s: float) -> FloatArray:
        return self._cores

    def set(self, server: int, cores: float) -> None:
        self._cores = self._cores.copy()  # the simulator knows by identity that demand has changed
        self._cores[server] = cores


@dataclass(slots=True)
class Cast:
    """What the story has introduced so far. `gives`: cores that a host really has, where that is fewer than it says."""

    hosts: dict[HostName, Host] = field(default_factory=dict)
    gives: dict[HostName, float] = field(default_factory=dict)
    servers: dict[ServerId, Server] = field(default_factory=dict)
    demand: dict[ServerId, float] = field(default_factory=dict)
    groups: list[ServerGroup] = field(default_factory=list)

    def add_hosts(self, zone: str, names: Sequence[str], options: Options) -> None:
        """Options: cpus= memory= disk= ratio= link=(MiB/s) aggregate= gives=(cores)."""
        for name in (HostName(one) for word in names for one in numbered(word)):
            self.hosts[name] = Host(
                name=name,
                zone=ZoneName(zone),
                cpus=float(options.get("cpus", "24")),
                memory_mib=gib(options.get("memory", "512G")) * 1024,
                disk_gib=gib(options.get("disk", "8000G")),
                cpu_ratio=float(options.get("ratio", "16")),
                link_mib_s=float(options.get("link", "1192")),
                aggregates=_names(options.get("aggregate", "")),
            )
            if "gives" in options:
                self.gives[name] = float(options["gives"])

    def add_servers(self, host: str, names: str, vcpus: str, memory: str, options: Options) -> None:
        """Options: demand=(cores) role= disk= pin=(why, _ for space) status= project= aggregate= meta=key:value."""
        for name in numbered(names):
            key, _, value = options.get("meta", "").rpartition(":")
            metadata = {"role": options["role"]} if "role" in options else {}
            self.servers[ServerId(name)] = Server(
                id=ServerId(name),
                name=name,
                host=HostName(host),
                vcpus=int(vcpus),
                memory_mib=gib(memory) * 1024,
                local_disk_gib=gib(options.get("disk", "0G")),
                project=options.get("project", ""),
                status=options.get("status", "ACTIVE"),
                aggregates=_names(options.get("aggregate", "")),
                pinned_by=options.get("pin", "").replace("_", " "),
                metadata=metadata | ({key: value} if key else {}),
            )
            self.demand[ServerId(name)] = float(options.get("demand", "0"))

    def add_group(self, name: str, policy: str, members: Sequence[str]) -> None:
        ids = frozenset(ServerId(one) for word in members for one in numbered(word))
        self.groups.append(ServerGroup(GroupId(name), name, POLICIES[policy], ids))

    def spec(self) -> SimSpec:
        """The cloud as it really is: a throttled host has only what it gives."""
        hosts = tuple(replace(host, cpus=self.gives.get(host.name, host.cpus)) for host in self.hosts.values())
        return SimSpec("", hosts, tuple(self.servers.values()), tuple(self.groups))

    def scripted(self) -> ScriptedDemand:
        return ScriptedDemand([self.demand[id] for id in self.servers])


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))
