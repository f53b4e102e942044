"""Clouds of plain libvirt hosts, as a file describes them: which hosts, how they are reached, how servers move."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Seconds, Word, read_section
from watari.errors import BadInput

NAMES: Final = ("libvirt.yaml", "libvirt.yml")
LEAST: Final = "hosts: {h1: {uri: qemu+ssh://root@h1/system}}"


def _uri(text: str) -> str:
    parts = urlsplit(text)
    if not parts.scheme.startswith("qemu") or not parts.path:
        raise ValueError(
            "write an address such as qemu+ssh://root@h1/system, qemu+tls://h1/system, qemu+tcp://h1/system"
        )
    if parts.password:
        raise ValueError("write no password into it: use a key, a certificate or auth.conf")
    return text


def _move_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("tcp", "rdma") or not parts.hostname:
        raise ValueError("write an address such as tcp://10.0.1.7, of a network that is for moves")
    return text


MoveAddress = Annotated[str, AfterValidator(_move_address)]
Uri = Annotated[str, AfterValidator(_uri)]


@dataclass(frozen=True, slots=True, config=CLOSED)
class HostSettings:
    """One host. `peer_uri`: how the other hosts reach it, if not by `uri`. `move_address`: where it takes the copies of
    moves, such as tcp://10.0.1.7 on a network of their own. `cpus`, `memory_mib`: what guests may use of both;
    without them all threads, and all memory but `reserved_mib`.
    """

    uri: Uri
    peer_uri: Uri | None = None
    move_address: MoveAddress | None = None
    zone: Word = "az1"
    link_mib_s: Annotated[float, Field(gt=0)] = 1192.0
    cpus: Annotated[float, Field(gt=0)] | None = None
    cpu_ratio: Annotated[float, Field(gt=0)] = 4.0
    reserved_mib: Annotated[int, Field(ge=0)] = 512
    memory_mib: Annotated[int, Field(gt=0)] | None = None


@dataclass(frozen=True, slots=True, config=CLOSED)
class LibvirtSettings:
    """One cloud. `shared_storage`: every host reaches the servers' disks; else files are copied along.

    `prometheus`, or `meters` and `meters_rule`: where loads come from, as in clouds.yaml; without them they are read
    from the hosts, over `window`.
    """

    hosts: Annotated[dict[Word, HostSettings], Field(min_length=1)]
    shared_storage: bool = True
    window: Annotated[Seconds, Field(ge=2, le=60)] = 10
    timeout: Annotated[Seconds, Field(ge=1, le=120)] = 10
    prometheus: dict[str, Any] | None = None
    meters: Any = None
    meters_rule: Any = None
    orchestrators: Any = None

    @model_validator(mode="after")
    def _one_way(self) -> "LibvirtSettings":
        if self.prometheus and self.meters is not None:
            raise ValueError("write one of prometheus and meters")
        return self


def cloud_names() -> tuple[str, ...]:
    """The clouds that can be named, sorted. Raises BadInput for a file that cannot be read."""
    path = found_file()
    return tuple(sorted(_clouds(path))) if path else ()


def read_cloud(name: str) -> tuple[LibvirtSettings, str]:
    """A cloud's section, and where it stands. Raises BadInput that names all that is wrong in it."""
    path = found_file()
    clouds = _clouds(path) if path else {}
    if name not in clouds:
        raise BadInput(
            f'no cloud "{name}" in {path or "libvirt.yaml"}; known are {", ".join(sorted(clouds)) or "none"}'
        )
    where = f"{path}: {name}"
    return read_section(LibvirtSettings, clouds[name], where, LEAST), where


def found_file() -> Path | None:
    """`$WATARI_LIBVIRT_FILE`, else libvirt.yaml in `./`, ~/.config/watari or /etc/watari; None without any."""
    if named := os.environ.get("WATARI_LIBVIRT_FILE"):
        return Path(named).expanduser()
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (Path(), home / "watari", Path("/etc/watari"))
    return next((place / name for place in places for name in NAMES if (place / name).is_file()), None)


def _clouds(path: Path) -> Mapping[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as e:
        raise BadInput(f"{path} cannot be read: {getattr(e, 'strerror', None) or ' '.join(str(e).split())}") from e
    clouds = value.get("clouds") if isinstance(value, dict) else None
    if not isinstance(clouds, dict):
        raise BadInput(f"{path}: write clouds: {{NAME: {{{LEAST}}}}}")
    return {str(name): section for name, section in clouds.items()}
