"""Three hosts in memory behind the driver's own connections, and a clock that stands still."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bindings import standing_for_libvirt
from times import SetClock
from unit.libvirt.small_hosts import Daemon, Libvirt
from watari.drivers.libvirt.cloud import LibvirtCloud
from watari.drivers.libvirt.settings import HostSettings, LibvirtSettings

NAMES = ("h1", "h2", "h3")


@pytest.fixture
def lv(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libvirt]:
    module = Libvirt()
    with standing_for_libvirt(monkeypatch, module):
        yield module


@dataclass
class Rack:
    """The cloud, its daemons by host, and its clock."""

    cloud: LibvirtCloud
    daemons: dict[str, Daemon]
    clock: SetClock


@pytest.fixture
def rack(lv: Libvirt) -> Rack:
    settings = LibvirtSettings({name: HostSettings(f"qemu+tcp://{name}/system") for name in NAMES})
    daemons = {name: Daemon() for name in NAMES}
    lv.daemons = {settings.hosts[name].uri: daemon for name, daemon in daemons.items()}
    clock = SetClock()
    return Rack(LibvirtCloud("rack", settings, clock), daemons, clock)
