"""What a lab is made of: where it lies, how many hosts of which size, and which ports."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from watari.errors import BadInput

REGION = "RegionOne"
PASSWORD = "watari-lab"  # of every account; nothing listens on anything but 127.0.0.1
LINK_MIB_S = 1192  # what clouds.yaml says about the hosts' network: 10 Gbit/s
CPU_RATIO = 4.0
MAX_COMPUTES = 80
MAX_ZONES = 9

# The order is the offset from the base port: append only, or running labs lose their services.
SERVICES_WITH_PORT = (
    "keystone",
    "glance",
    "placement",
    "nova-api",
    "neutron",
    "mariadb",
    "rabbitmq",
    "rabbitmq-peers",
    "epmd",
    "memcached",
    "prometheus",
    "exporter",
)


@dataclass(frozen=True, slots=True)
class HostSize:
    """What every compute host has to offer."""

    threads: int = 8
    memory_mib: int = 65536
    disk_gib: int = 1000


@dataclass(frozen=True, slots=True)
class LabSpec:
    """A lab. `base_port` is the first of a dozen ports in a row: labs with bases 100 apart can run at once."""

    dir: Path
    computes: int = 6
    zones: int = 2
    base_port: int = 21000
    host: HostSize = field(default_factory=HostSize)

    def __post_init__(self) -> None:
        if not 1 <= self.computes <= MAX_COMPUTES:
            raise BadInput(f"a lab has 1 to {MAX_COMPUTES} compute hosts, not {self.computes}")
        if not 1 <= self.zones <= min(self.computes, MAX_ZONES):
            raise BadInput(
                f"{self.computes} compute hosts can be in 1 to {min(self.computes, MAX_ZONES)} zones, not {self.zones}"
            )
        if not 1024 <= self.base_port <= 65535 - len(SERVICES_WITH_PORT):
            raise BadInput(f"the first port must be from 1024 to {65535 - len(SERVICES_WITH_PORT)}")

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(f"cmp{i:02d}" for i in range(1, self.computes + 1))

    def zone_of(self, host: str) -> str:
        """Contiguous parts: of cmp01-cmp06 the first three are az1."""
        return f"az{self.hosts.index(host) * self.zones // self.computes + 1}"

    def by_zone(self) -> dict[str, tuple[str, ...]]:
        zones: dict[str, tuple[str, ...]] = {}
        for host in self.hosts:
            zone = self.zone_of(host)
            zones[zone] = (*zones.get(zone, ()), host)
        return zones

    def port(self, service: str) -> int:
        return self.base_port + SERVICES_WITH_PORT.index(service)

    def ports(self) -> Iterator[tuple[str, int]]:
        for service in SERVICES_WITH_PORT:
            yield service, self.port(service)

    def url(self, service: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port(service)}{path}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"dir": str(self.dir)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        try:
            known = dict(value)
            return cls(dir=Path(known.pop("dir")), host=HostSize(**known.pop("host")), **known)
        except (KeyError, TypeError) as e:
            raise BadInput(f"this is not the description of a lab ({e}); remove it, or the whole folder") from e
