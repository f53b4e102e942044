"""Servers of all projects, from Nova's words to the model's."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watari.drivers.openstack.calls import Calls, Json, Params, Version
from watari.drivers.openstack.pins import pinned_by
from watari.drivers.openstack.settings import Settings
from watari.errors import Permanent, Refused, Transient
from watari.model.compute import HostName, Server, ServerId

LIST = Version("2.69", "2.53", "reading servers with their flavors")  # 2.69: cells that do not answer show
SHOW = Version("2.96", "2.53", "reading a server")  # 2.71: with its groups; 2.96: with the zone it is tied to
NUMA = "2.79"  # Train; compute services may be older during an upgrade, then Nova refuses
HOST, ZONE, TASK = "OS-EXT-SRV-ATTR:host", "OS-EXT-AZ:availability_zone", "OS-EXT-STS:task_state"
SCOPE = "aggregate_instance_extra_specs:"
OPERATOR = re.compile(r"(=|==|!=|<=|>=|s(!=|<|<=|>|>=)|<\S+>)\s")  # of oslo.utils.specs_matcher


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as Nova shows it, with what the model leaves out.

    `tied`: Nova's scheduler keeps it in its zone; False if it would not, or is too old (2.96) to say. `groups` is None
    when Nova is too old (2.71) to say.
    """

    server: Server
    zone: str
    tied: bool
    task: str  # what Nova does with it now; empty: nothing
    groups: tuple[str, ...] | None
    resources: Mapping[str, int]  # what it holds of its host, by Placement's classes


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of one cloud."""

    calls: Calls
    settings: Settings

    def all(self, **filters: str | list[str]) -> Iterator[Server]:
        """Every server of every project, one page in memory at a time; also those without a host (host is empty)."""
        numa = self.calls.offers(NUMA)
        params: Params = {"all_tenants": "1", **filters}
        for rows in self.calls.pages("/servers/detail", "servers", LIST, "list the servers of all projects", params):
            for row in rows:
                yield server_of(row, self.settings, numa)

    def show(self, id: ServerId) -> Seen:
        """One server. Raises Refused when the cloud does not know it."""
        row = self.calls.get(f"/servers/{id}", SHOW, f"show server {id}")["server"]
        server = server_of(row, self.settings, self.calls.offers(NUMA))
        groups = tuple(row["server_groups"]) if "server_groups" in row else None
        zone, tied = row.get(ZONE) or "", row.get("pinned_availability_zone") or ""
        return Seen(server, zone, bool(zone) and tied == zone, row.get(TASK) or "", groups, _resources(row))

    def locate(self, id: ServerId) -> Server | None:
        try:
            return self.show(id).server
        except Refused:
            return None


def server_of(row: Json, settings: Settings, numa: bool) -> Server:
    """One of Nova's records. Raises Transient for the remains that it shows while a cell does not answer."""
    if "flavor" not in row:
        raise Transient(
            f"the cell of server {row.get('id')} does not answer, its host is unknown; look at `nova-manage cell_v2"
            " list_cells` and at the cell's database"
        )
    if HOST not in row:
        raise Permanent(
            "Nova does not say on which hosts servers are: this user needs the admin role, or the policy"
            " os_compute_api:os-extended-server-attributes"
        )
    flavor = row["flavor"]
    specs: Mapping[str, str] = flavor.get("extra_specs") or {}
    return Server(
        id=ServerId(row["id"]), name=row["name"], host=HostName(row[HOST] or ""), vcpus=int(flavor["vcpus"]),
        memory_mib=int(flavor["ram"]), local_disk_gib=0 if settings.shared_storage else local_disk_gib(row),
        project=row["tenant_id"], flavor=flavor["original_name"], status=row["status"], aggregates=needs(specs),
        pinned_by=pinned_by(specs, numa), metadata=row["metadata"],
    )  # fmt: skip


def local_disk_gib(row: Json) -> int:
    """What lies on the host's own disks: root if it boots from an image, ephemeral disks and swap always."""
    flavor = row["flavor"]
    root = int(flavor["disk"]) if row.get("image") else 0  # "" when it boots from a volume
    return root + int(flavor["ephemeral"]) + math.ceil(int(flavor["swap"] or 0) / 1024)


def needs(specs: Mapping[str, str]) -> frozenset[str]:
    """Labels `key=value` that the destination's aggregates must carry.

    Only plain values: operators such as `<or>` and unscoped keys are judged by Nova's scheduler alone.
    """
    return frozenset(
        f"{key.removeprefix(SCOPE)}={value.removeprefix('s== ')}"
        for key, value in specs.items()
        if key.startswith(SCOPE) and not OPERATOR.match(value)
    )


def _resources(row: Json) -> Mapping[str, int]:
    """What Nova's scheduler claims on the host; what the flavor's extra specs ask for instead is left to Nova."""
    flavor = row["flavor"]
    specs: Mapping[str, str] = flavor.get("extra_specs") or {}
    policy = specs.get("hw:cpu_policy", "shared")
    claimed = {"MEMORY_MB": int(flavor["ram"]), "DISK_GB": local_disk_gib(row)}
    if policy != "mixed":
        claimed["PCPU" if policy == "dedicated" else "VCPU"] = int(flavor["vcpus"])
    own = {key.rpartition(":")[2] for key in specs if key.startswith("resources")}
    return {name: amount for name, amount in claimed.items() if amount > 0 and name not in own}
