"""What hosts have to give, from Placement: capacities with reservations and ratios, and whether something fits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from watari.drivers.openstack.calls import Calls, Json, Params, Version
from watari.errors import Refused

# 1.27: summaries show every class, not only the one asked for; 1.31: `in_tree`.
SUMMARIES = Version("1.29", "1.27", "reading what all hosts have to give")
IN_TREE = Version("1.31", "1.31", "asking whether a server fits on one host")
PROVIDER = Version("1.29", "1.0", "reading what a host has to give")
MOST = 1000  # hosts to choose from
CPUS = ("VCPU", "PCPU")
WORDS = {"VCPU": "vCPUs", "PCPU": "dedicated CPUs", "MEMORY_MB": "MiB of memory", "DISK_GB": "GiB of disk"}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What servers may use, reservations taken off. `cpus` * `cpu_ratio` vCPUs fit."""

    cpus: float
    cpu_ratio: float
    memory_mib: int | None  # None: Placement does not keep account of it there
    disk_gib: int | None


@dataclass(frozen=True, slots=True)
class Placement:
    """Placement of one cloud. Hosts of one build share reservation and ratio: those are asked for once per build."""

    calls: Calls
    _builds: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)

    def capacities(self, providers: list[str]) -> Mapping[str, Capacity]:
        """By provider; those that Placement does not know are absent.

        One call answers for every host with room for one more vCPU, however many there are; one more call per host
        without, and one per distinct pair of shared and dedicated vCPUs, once in the life of the process.
        """
        found = self.calls.get_placement(
            "/allocation_candidates", SUMMARIES, "read what the hosts have to give", {"resources": "VCPU:1"}
        )["provider_summaries"]
        out: dict[str, Capacity] = {}
        for provider in providers:
            summary = found.get(provider)
            capacity = self._of_summary(provider, summary) if summary else self.capacity(provider)
            if capacity is not None:
                out[provider] = capacity
        return out

    def capacity(self, provider: str) -> Capacity | None:
        """One provider's, None if Placement does not know it."""
        try:
            rows = self._inventories(provider)
        except Refused:
            return None
        memory, disk = (_capacity(rows[name]) if name in rows else None for name in ("MEMORY_MB", "DISK_GB"))
        return Capacity(*_cpus(rows), memory, disk)

    def with_room(self, needed: Mapping[str, int], server: str) -> list[str]:
        """Providers that can take that much, those with most memory left first; nested ones belong to another."""
        params: Params = {"resources": _resources(needed), "limit": MOST}
        what = f"ask where {server} fits"
        found = self.calls.get_placement("/allocation_candidates", IN_TREE, what, params)["provider_summaries"]

        def left(provider: str) -> int:
            memory = found[provider]["resources"].get("MEMORY_MB")
            return memory["capacity"] - memory["used"] if memory else 0

        roots = [provider for provider, row in found.items() if not row["parent_provider_uuid"]]
        return sorted(roots, key=lambda provider: (-left(provider), provider))

    def why_not(self, provider: str, needed: Mapping[str, int], host: str, server: str) -> str:
        """Why `server` has no room on `host`, in words; empty if it has, or if nothing can be named that it lacks.

        One call, two more for the words. What another provider counts (disk that hosts share) is left to Nova.
        """
        params: Params = {"resources": _resources(needed), "in_tree": provider, "limit": 1}
        what = f"ask whether {server} fits on {host}"
        if self.calls.get_placement("/allocation_candidates", IN_TREE, what, params)["allocation_requests"]:
            return ""
        rows = self._inventories(provider)
        path = f"/resource_providers/{provider}/usages"
        used: Mapping[str, int] = self.calls.get_placement(path, PROVIDER, f"read what is used on {host}")["usages"]
        for name in (name for name in WORDS if name in needed and name in rows):
            free = min(_capacity(rows[name]) - used.get(name, 0), rows[name].get("max_unit", needed[name]))
            if needed[name] > free:
                return f"{host} has {max(free, 0)} {WORDS[name]} free, {server} needs {needed[name]}"
        return ""

    def _inventories(self, provider: str) -> Mapping[str, Json]:
        path = f"/resource_providers/{provider}/inventories"
        rows: Mapping[str, Json] = self.calls.get_placement(path, PROVIDER, "read what a host has to give")[
            "inventories"
        ]
        return rows

    def _of_summary(self, provider: str, summary: Json) -> Capacity | None:
        have = {name: int(row["capacity"]) for name, row in summary["resources"].items()}
        build = (have.get("VCPU", 0), have.get("PCPU", 0))
        if build not in self._builds:
            exact = self.capacity(provider)
            if exact is None:
                return None
            self._builds[build] = (exact.cpus, exact.cpu_ratio)
        return Capacity(*self._builds[build], have.get("MEMORY_MB"), have.get("DISK_GB"))


def _resources(needed: Mapping[str, int]) -> str:
    return ",".join(f"{name}:{amount}" for name, amount in sorted(needed.items()))


def _cpus(rows: Mapping[str, Json]) -> tuple[float, float]:
    """Threads for guests and vCPUs per thread, over shared and dedicated ones."""
    threads = sum(rows[name]["total"] - rows[name]["reserved"] for name in CPUS if name in rows)
    vcpus = sum((rows[name]["total"] - rows[name]["reserved"]) * rows[name]["allocation_ratio"] for name in CPUS
                if name in rows)  # fmt: skip
    return float(threads), round(vcpus / threads, 6) if threads else 0.0


def _capacity(row: Json) -> int:
    """As Placement computes it (nova's and placement's documentation of allocation_ratio)."""
    return int((row["total"] - row["reserved"]) * row["allocation_ratio"])
