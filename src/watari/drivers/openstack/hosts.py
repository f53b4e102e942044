"""Compute hosts: service, hypervisor, aggregates and capacity joined into the model's Host."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from watari.drivers.openstack.calls import Calls, Json, Version
from watari.drivers.openstack.placement import Capacity, Placement
from watari.drivers.openstack.settings import Settings
from watari.errors import Refused, Transient
from watari.model.compute import Host, HostName, HostState, ZoneName

SERVICES = Version("2.69", "2.53", "reading compute services")  # 2.69: cells that do not answer show
# 2.88 drops vcpus, memory_mb and local_gb, and asks every compute node for its uptime.
HYPERVISORS = Version("2.87", "2.53", "reading hypervisors")
AGGREGATES = Version("2.53", "2.53", "reading host aggregates")
UPDATE = Version("2.53", "2.53", "disabling a host by its service's id")
BAREMETAL = "ironic"
LONGEST_REASON = 255  # nova.api.openstack.compute.schemas.services


@dataclass(frozen=True, slots=True)
class Service:
    """The nova-compute of a host."""

    id: str
    host: HostName
    zone: str
    state: HostState
    note: str


@dataclass(frozen=True, slots=True)
class Hosts:
    """The compute hosts of one cloud. Baremetal nodes are no hosts of VMs and left out."""

    calls: Calls
    settings: Settings
    placement: Placement
    _providers: dict[HostName, str] = field(default_factory=dict)
    addresses: dict[HostName, str] = field(default_factory=dict)  # where Nova takes moves, as it was last read

    def all(self) -> dict[HostName, Host]:
        """Every host that has a hypervisor. Calls: services, hypervisors (a page per 1,000), aggregates, Placement."""
        services = {service.host: service for service in self._services()}
        nodes = {name: node for name, node in self._hypervisors() if name in services}
        labels = _labels(self._aggregates())
        have = self.placement.capacities([node["id"] for node in nodes.values()])
        return {
            name: self._host(services[name], node, have.get(node["id"]), labels.get(name, frozenset()))
            for name, node in sorted(nodes.items())
        }

    def one(self, name: HostName) -> Host | None:
        """The host as it is now, in four calls."""
        service = self.service(name)
        node = self._node(name) if service else None
        if service is None or node is None:
            return None
        labels = _labels(self._aggregates()).get(name, frozenset())
        return self._host(service, node, self.placement.capacity(node["id"]), labels)

    def service(self, name: HostName) -> Service | None:
        """The host's compute service; None if the cloud does not know it."""
        return next((service for service in self._services(host=name) if service.host == name), None)

    def labels(self, name: HostName) -> frozenset[str]:
        """Names and `key=value` labels of the host's aggregates."""
        return _labels(self._aggregates()).get(name, frozenset())

    def provider(self, name: HostName, *, fresh: bool = False) -> str | None:
        """The id of the host's hypervisor, which is Placement's too. Kept: it changes when a host is reinstalled."""
        if fresh or name not in self._providers:
            for _ in self._hypervisors():
                pass
        return self._providers.get(name)

    def names(self, providers: Iterable[str]) -> list[HostName]:
        """The hosts of hypervisors, in the same order; without those of nothing that is a host."""
        if not set(providers) <= set(self._providers.values()):
            self.provider(HostName(""), fresh=True)
        host = {provider: name for name, provider in list(self._providers.items())}
        return [host[provider] for provider in providers if provider in host]

    def set_service(self, name: HostName, reason: str | None) -> None:
        """Disable with a reason, or enable with None."""
        what = f"{'enable' if reason is None else 'disable'} host {name}"
        if reason is not None and len(reason) > LONGEST_REASON:
            raise Refused(f"cannot {what}: a reason has at most {LONGEST_REASON} characters, this one {len(reason)}")
        service = self.service(name)
        if service is None:
            raise Refused(f"cannot {what}: cloud {self.calls.cloud} has no compute host of that name")
        body = {"status": "enabled"} if reason is None else {"status": "disabled"}
        why = {"disabled_reason": reason} if reason else {}
        self.calls.change("PUT", f"/os-services/{service.id}", UPDATE, what, body | why)

    def _services(self, **filters: str) -> Iterator[Service]:
        params = {"binary": "nova-compute", **filters}
        for row in self.calls.get("/os-services", SERVICES, "list the compute services", params)["services"]:
            if row.get("status") == "UNKNOWN" or "zone" not in row:
                raise Transient(
                    f"the cell of host {row.get('host')} does not answer, so its state is unknown; look at `nova-manage"
                    " cell_v2 list_cells` and at the cell's database"
                )
            yield service_of(row)

    def _hypervisors(self) -> Iterator[tuple[HostName, Json]]:
        what = "list the hypervisors"
        for rows in self.calls.pages("/os-hypervisors/detail", "hypervisors", HYPERVISORS, what, {}):
            for row in rows:
                if row.get("hypervisor_type") != BAREMETAL:
                    name = HostName(row["service"]["host"])
                    self._providers[name] = row["id"]
                    self.addresses[name] = row.get("host_ip") or ""
                    yield name, row

    def _node(self, name: HostName) -> Json | None:
        """The host's hypervisor by the id that is known of it, else from the list of all."""
        if known := self._providers.get(name):
            try:
                row: Json = self.calls.get(f"/os-hypervisors/{known}", HYPERVISORS, f"show the hypervisor of {name}")[
                    "hypervisor"
                ]
            except Refused:  # reinstalled
                row = {}
            if row and row["service"]["host"] == name:
                return row
        return next((node for host, node in self._hypervisors() if host == name), None)

    def _aggregates(self) -> Iterable[Json]:
        rows: list[Json] = self.calls.get("/os-aggregates", AGGREGATES, "list the host aggregates")["aggregates"]
        return rows

    def _host(self, service: Service, node: Json, capacity: Capacity | None, labels: frozenset[str]) -> Host:
        """Where Placement keeps no account (of disk, with shared storage), what the hypervisor says counts."""
        have = capacity or Capacity(float(node["vcpus"] or 0), 1.0, None, None)
        memory, disk = have.memory_mib, have.disk_gib
        return Host(
            name=service.host, zone=ZoneName(service.zone), cpus=have.cpus, cpu_ratio=have.cpu_ratio,
            memory_mib=int(node["memory_mb"] or 0) if memory is None else memory,
            disk_gib=int(node["local_gb"] or 0) if disk is None else disk,
            link_mib_s=self.settings.link_mib_s, state=service.state, state_note=service.note, aggregates=labels,
        )  # fmt: skip


def service_of(row: Json) -> Service:
    """One of Nova's records. A host that is down is down, disabled or not."""
    state: HostState = "up" if row["status"] == "enabled" else "disabled"
    note = row.get("disabled_reason") or ""
    if row["state"] != "up":
        state, note = "down", note or ("forced down" if row.get("forced_down") else "")
    return Service(str(row["id"]), HostName(row["host"]), row["zone"], state, note)


def _labels(aggregates: Iterable[Mapping[str, Any]]) -> dict[HostName, frozenset[str]]:
    """By host: the names of its aggregates and their metadata as `key=value`; lists (`a,b`) give a label each."""
    out: dict[HostName, set[str]] = {}
    for row in aggregates:
        pairs = row["metadata"].items()
        labels = {row["name"], *(f"{key}={value.strip()}" for key, values in pairs for value in values.split(","))}
        for host in row["hosts"]:
            out.setdefault(HostName(host), set()).update(labels)
    return {host: frozenset(labels) for host, labels in out.items()}
