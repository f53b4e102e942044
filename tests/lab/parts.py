"""The lab is shared out: groups of tests run side by side, each with zones, hosts and servers of its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from watari.lab.spec import LabSpec


@dataclass(frozen=True, slots=True)
class Part:
    """What a group of tests has to itself. `crowd`: small servers that it moves about between its `hosts`."""

    name: str
    zones: tuple[str, ...]
    hosts: tuple[str, ...]
    crowd: tuple[str, ...]
    short_lived: tuple[str, ...] = ()  # for tests that delete and resize

    @property
    def names(self) -> tuple[str, ...]:
        """All that it boots."""
        return (*self.crowd, *self.short_lived)

    def hosts_in(self, spec: LabSpec) -> tuple[str, ...]:
        """All hosts of its zones."""
        return tuple(host for host in spec.hosts if spec.zone_of(host) in self.zones)


def beside(host: str) -> str:
    """The other one of two hosts, so that servers go to and fro."""
    hosts = next(part.hosts for part in PARTS.values() if host in part.hosts)
    return hosts[hosts.index(host) ^ 1]


def _numbered(prefix: str, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{prefix}{n:02d}" for n in numbers)


# The sample servers of the lab, two overloaded hosts among theirs, and a crowd in the second zone.
DONE = Part("done", ("az1", "az2"), _numbered("cmp", range(9, 15)), _numbered("crowd-", range(1, 41)))
FAULTS = Part("faults", ("az3",), _numbered("cmp", range(15, 21)), _numbered("flock-", range(1, 25)), ("gone", "grown"))
CONTRACT, CONTRACT_ZONE = "contract", "az4"  # the contract of the ports has a zone, too
PARTS = {part.name: part for part in (DONE, FAULTS)}
# Which module belongs to which group, in the order in which they run: so that the groups end at about the same time.
# The first ones of DONE need no measured loads: by the time of the balance there are some, and nobody waited for them.
MODULES = {
    "test_refused_access.py": DONE,
    "test_killed.py": DONE,
    "test_unmeasured.py": DONE,
    "test_balanced.py": DONE,
    "test_interrupted.py": FAULTS,
    "test_api_faults.py": FAULTS,
    "test_migration_faults.py": FAULTS,
    "test_stale.py": FAULTS,
    "test_shared.py": FAULTS,
    "test_api_tokens.py": FAULTS,
}
