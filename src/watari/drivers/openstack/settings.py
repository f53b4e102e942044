"""What a cloud's `watari:` section in clouds.yaml says that the cloud itself cannot tell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watari.errors import BadInput

KEYS = ("link_mib_s", "meters", "meters_rule", "orchestrators", "own_network", "prometheus", "shared_storage")


@dataclass(frozen=True, slots=True)
class Settings:
    """`shared_storage`: the servers' own disks lie on storage that every host reaches (Ceph, NFS), so nothing of them
    is copied. `link_mib_s`: the network that migrations use, in MiB/s. `own_network`: nobody else uses it.
    `prometheus`: for the only meter, as it is written; `meters`, `meters_rule`: for several, and whose value counts.
    `orchestrators`: what gives the servers work.
    """

    shared_storage: bool = False
    link_mib_s: float = 1192.0  # 10 Gbit/s
    prometheus: Mapping[str, Any] = field(default_factory=dict)
    orchestrators: Any = None
    meters: Any = None
    meters_rule: Any = None
    own_network: bool = False


def settings_of(cloud: str, section: object) -> Settings:
    """Read the section. Raises BadInput that names the key and what would be right."""
    where = f"clouds.yaml, cloud {cloud}, watari"
    if section is None:
        return Settings()
    if not isinstance(section, dict):
        raise BadInput(f"{where}: a section with keys is expected, not {section!r}; known keys: {', '.join(KEYS)}")
    if strange := sorted(str(key) for key in section if key not in KEYS):
        raise BadInput(f"{where}: unknown key {', '.join(strange)}; known keys: {', '.join(KEYS)}")
    shared, own = (_yes(section, key, where) for key in ("shared_storage", "own_network"))
    link = section.get("link_mib_s", Settings().link_mib_s)
    if isinstance(link, bool) or not isinstance(link, int | float) or not 0 < link < math.inf:
        raise BadInput(f"{where}.link_mib_s: {link!r} is no number of MiB/s over 0; 10 Gbit/s are 1192")
    prometheus = section.get("prometheus") or {}
    if not isinstance(prometheus, dict):
        raise BadInput(f"{where}.prometheus: a section with keys is expected, not {prometheus!r}")
    meters, rule = section.get("meters"), section.get("meters_rule")
    if prometheus and meters is not None:
        raise BadInput(f"{where}: write one of prometheus and meters; among meters it is - prometheus: {{url: ...}}")
    if rule is not None and meters is None:
        raise BadInput(f"{where}.meters_rule: it is of use with meters only")
    return Settings(shared, float(link), prometheus, section.get("orchestrators"), meters, rule, own)


def _yes(section: Mapping[str, Any], key: str, where: str) -> bool:
    value = section.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f"{where}.{key}: {value!r} is neither true nor false")
    return value
