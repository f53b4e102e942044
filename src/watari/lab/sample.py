"""The servers that a new lab has: two overloaded hosts, neighbours with room for the excess."""

from collections.abc import Iterator
from dataclasses import dataclass

from watari.lab.spec import LabSpec

GROUP = "db"
MOST_SERVERS = 30  # more would make the first start long
HOT_ZONES = 2


@dataclass(frozen=True, slots=True)
class Flavor:
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int = 10


FLAVORS = (
    Flavor("m1.small", 1, 2048),
    Flavor("m1.medium", 2, 4096),
    Flavor("m1.large", 4, 8192),
    Flavor("m1.xlarge", 8, 16384),
)
NETWORKS = {"blue": "10.10.1.0/24", "green": "10.10.2.0/24"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A server to boot. `cores`: what it asks for."""

    name: str
    role: str
    flavor: str
    cores: float
    host: str
    zone: str
    network: str
    grouped: bool = False


# Per zone: 10.8 of the hot host's 8 threads; with two or more calm hosts the zone has room for all of it, also when the
# hot host is emptied.
_HOT = (
    ("web", "m1.medium", 1.9),
    ("web", "m1.medium", 1.9),
    ("worker", "m1.medium", 1.9),
    ("db", "m1.medium", 1.9),
    ("batch", "m1.large", 3.2),
)
_CALM = (
    ("db", "m1.medium", 0.6),
    ("api", "m1.medium", 0.6),
    ("web", "m1.small", 0.3),
    ("worker", "m1.medium", 0.5),
    ("cache", "m1.medium", 0.5),
    ("cache", "m1.small", 0.3),
    ("mon", "m1.small", 0.2),
)


def sample_servers(spec: LabSpec) -> tuple[Sample, ...]:
    """At most `MOST_SERVERS`; the first host of the first two zones is the hot one, if it has a neighbour."""
    return tuple(_numbered(spec))[:MOST_SERVERS]


def _numbered(spec: LabSpec) -> Iterator[Sample]:
    seen: dict[str, int] = {}
    networks = tuple(NETWORKS)
    for number, (zone, hosts) in enumerate(spec.by_zone().items()):
        for role, flavor, cores, host in _zone(number, hosts):
            seen[role] = seen.get(role, 0) + 1
            name = f"{role}-{seen[role]:02d}"
            network = networks[sum(seen.values()) % len(networks)]
            yield Sample(name, role, flavor, cores, host, zone, network, grouped=role == GROUP and number == 0)


def _zone(number: int, hosts: tuple[str, ...]) -> Iterator[tuple[str, str, float, str]]:
    first, *others = hosts
    if others and number < HOT_ZONES:
        for role, flavor, cores in _HOT:
            yield role, flavor, cores, first
    calm = others or [first]
    for i, (role, flavor, cores) in enumerate(_CALM):
        yield role, flavor, cores, calm[i % len(calm)]
