"""The rows of a snapshot file as pydantic validates them, and the JSON schema that is made from them."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, with_config

from watari.model.compute import GroupPolicy, HostState

FORMAT: Final = 1
MARKER: Final = "watari_snapshot"

# Strict: "8" is not 8. The upper bounds keep nonsense from overflowing sums; no cloud comes near them.
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_MOST_INT = 2**40
_MOST_CORES = 1_000_000

_Name = Annotated[str, Field(min_length=1)]
_Whole = Annotated[int, Field(ge=0, le=_MOST_INT)]
_Cores = Annotated[float, Field(ge=0, le=_MOST_CORES)]
_Share = Annotated[float, Field(ge=0, le=1)]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileHost:
    """A hypervisor."""

    name: Annotated[_Name, Field(description="Unique; what servers name in `host`.")]
    zone: Annotated[_Name, Field(description="Availability zone; servers never leave it.")]
    cpus: Annotated[_Cores, Field(description="Hardware threads that guests may use.")]
    memory_mib: Annotated[_Whole, Field(description="Memory that guests may use, in MiB, reservations taken off.")]
    disk_gib: Annotated[_Whole, Field(description="Local disk that guests may use, in GiB.")] = 0
    cpu_ratio: Annotated[
        float,
        Field(gt=0, le=1000, description="vCPUs that may be placed on each thread (Nova's cpu_allocation_ratio)."),
    ] = 16.0
    link_mib_s: Annotated[
        float, Field(gt=0, le=_MOST_CORES, description="Speed of the migration network, in MiB/s (1192 is 10 Gbit/s).")
    ] = 1192.0
    state: Annotated[HostState, Field(description="Only a host that is `up` receives servers.")] = "up"
    state_note: Annotated[str, Field(description="Why it is in that state.")] = ""
    rack: Annotated[str, Field(description="Where it stands.")] = ""
    aggregates: Annotated[frozenset[str], Field(description="Host aggregates that it belongs to.")] = frozenset()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileLoad:
    """What a server suffered: steal, load_per_vcpu and cpu_demand together, or cpu_demand alone."""

    steal: Annotated[
        _Share | None,
        Field(description="Mean share (0-1) of a vCPU's time that was wanted and not given: 12 % is 0.12."),
    ] = None
    load_per_vcpu: Annotated[_Cores | None, Field(description="Load average of the guest over its vCPUs.")] = None
    cpu_demand: Annotated[_Cores | None, Field(description="Cores it asked for, given or not.")] = None
    at: Annotated[AwareDatetime | None, Field(description="When this was true, with zone; default: taken_at.")] = None
    source: Annotated[str, Field(description="Who measured it.")] = ""


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileMembership:
    """An orchestrator that a VM works for."""

    orchestrator: Annotated[_Name, Field(description="What the cloud's configuration calls it.")]
    member: Annotated[_Name, Field(description="What it calls the VM: its node's name.")]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileServer:
    """A VM. Without `load` (or with null) it sends no data: unknown, never idle."""

    id: Annotated[_Name, Field(description="Unique; Nova's UUID, or any name of your own.")]
    host: Annotated[_Name, Field(description="The host that it runs on.")]
    vcpus: Annotated[int, Field(ge=1, le=_MOST_CORES, description="Virtual CPUs.")]
    memory_mib: Annotated[_Whole, Field(description="Memory, in MiB.")]
    name: Annotated[str | None, Field(description="Default: the id.")] = None
    local_disk_gib: Annotated[
        _Whole, Field(description="Disk that a live migration has to copy, in GiB; 0 on shared storage.")
    ] = 0
    project: Annotated[str, Field(description="The project that owns it.")] = ""
    flavor: Annotated[str, Field(description="Its flavor's name.")] = ""
    status: Annotated[str, Field(description="Nova's status.")] = "ACTIVE"
    aggregates: Annotated[frozenset[str], Field(description="Aggregates that its host must belong to.")] = frozenset()
    pinned_by: Annotated[str, Field(description="Why it can never be moved live; empty: it can.")] = ""
    metadata: Annotated[
        dict[str, str], Field(description="Nova's metadata; `role` is where its role is looked for.")
    ] = field(default_factory=dict)
    no_cold: Annotated[str, Field(description="Why it can never be moved cold; empty: it can.")] = ""
    load: Annotated[FileLoad | None, Field(description="What it suffered.")] = None
    member_of: Annotated[
        list[FileMembership], Field(description="Orchestrators that it leaves before it moves, in that order.")
    ] = field(default_factory=list)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileGroup:
    """A server group: servers that are kept together or apart."""

    id: Annotated[_Name, Field(description="Unique.")]
    policy: Annotated[GroupPolicy, Field(description="Nova's policy.")]
    members: Annotated[frozenset[str], Field(description="Server ids.")]
    name: Annotated[str | None, Field(description="Default: the id.")] = None


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FileFlight:
    """A migration under way: the server still counts at `source`, its place at `target` is taken."""

    server: Annotated[_Name, Field(description="Server id.")]
    source: Annotated[_Name, Field(description="The host that it leaves.")]
    target: Annotated[_Name, Field(description="The host that it goes to.")]
    since: Annotated[AwareDatetime, Field(description="When it began, with zone.")]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class FilePastMove:
    """A migration that is over: cool-down and cycle breaker look at it."""

    server: Annotated[_Name, Field(description="Server id.")]
    source: Annotated[_Name, Field(description="The host that it left; may be gone.")]
    target: Annotated[_Name, Field(description="The host that it went to; may be gone.")]
    ended: Annotated[AwareDatetime, Field(description="When it was over, with zone.")]
    done: Annotated[bool, Field(description="false: failed or aborted, the server stayed.")] = True
    benefit: Annotated[float | None, Field(description="Steal before minus steal after, once measured.")] = None


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One reading of a cloud's hosts, servers and loads."""

    watari_snapshot: Annotated[Literal[1], Field(description="Marks the file and its format.")]
    taken_at: Annotated[AwareDatetime, Field(description="When it was read, with zone: 2024-05-01T12:00:00+09:00.")]
    hosts: Annotated[list[FileHost], Field(description="The hypervisors.")]
    servers: Annotated[list[FileServer], Field(description="The VMs.")]
    groups: Annotated[list[FileGroup], Field(description="Server groups.")] = field(default_factory=list)
    flights: Annotated[list[FileFlight], Field(description="Migrations under way.")] = field(default_factory=list)
    past: Annotated[list[FilePastMove], Field(description="Migrations that are over.")] = field(default_factory=list)
    cloud: Annotated[str, Field(description="The cloud's name.")] = ""


ROWS: Final[dict[str, type]] = {
    "hosts": FileHost,
    "servers": FileServer,
    "groups": FileGroup,
    "flights": FileFlight,
    "past": FilePastMove,
}
ADAPTER: Final = TypeAdapter(SnapshotFile)


def snapshot_json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a snapshot file, as `docs/reference/snapshot.schema.json` holds it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ADAPTER.json_schema(),
        "title": "Watari compute snapshot",
    }
