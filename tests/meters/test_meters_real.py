"""The meter of libvirt's hosts against a real libvirt, with WATARI_TEST_LIBVIRT set to its address (qemu:///session).

Two guests that only count up share one CPU of the host, a third one halts: made for the test, gone after it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from watari.conformance.meter import GONE
from watari.drivers.clock import RealTime
from watari.drivers.gauges import Surroundings, open_gauges
from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import libvirt
from watari.drivers.libvirt.settings import HostSettings
from watari.model.compute import HostName, Server, ServerId
from watari.model.readings import Rule, Told
from watari.observe.meters import Meters

URI = os.environ.get("WATARI_TEST_LIBVIRT", "")
HERE = HostName("here")
LOOP, HALT = b"\xeb\xfe", b"\xfa\xf4\xeb\xfd"  # jmp to itself; cli, hlt, and again

pytestmark = pytest.mark.skipif(not URI, reason="needs a libvirt: WATARI_TEST_LIBVIRT=qemu:///session")


def boot_sector(code: bytes) -> bytes:
    return code.ljust(510, b"\0") + b"\x55\xaa"


def xml(id: str, name: str, disk: Path) -> str:
    return f"""<domain type='qemu'><name>{name}</name><uuid>{id}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<cputune><vcpupin vcpu='0' cpuset='0'/></cputune><os><type arch='x86_64'>hvm</type><boot dev='hd'/></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
<target dev='hda' bus='ide'/></disk>
<memballoon model='none'/></devices></domain>"""


@pytest.fixture(scope="module")
def guests() -> Iterator[dict[str, ServerId]]:
    """By name: what they are called in libvirt; destroyed at the end. Whoever runs QEMU has to read their disks."""
    connection = libvirt().open(URI)
    made, ids = [], {}
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        try:
            for name, code in (("burner-1", LOOP), ("burner-2", LOOP), ("halted", HALT)):
                disk = Path(place) / f"{name}.img"
                disk.write_bytes(boot_sector(code).ljust(1 << 20, b"\0"))
                disk.chmod(0o666)
                ids[name] = ServerId(str(uuid4()))
                made.append(connection.createXML(xml(ids[name], f"watari-test-{name}", disk), 0))
            yield ids
        finally:
            for domain in made:
                domain.destroy()
            connection.close()


def read(guests: dict[str, ServerId]) -> tuple[Told, Meters]:
    servers = {id: Server(id, name, HERE, 1, 16) for name, id in guests.items()}
    hosts = {HERE: Connection(HERE, HostSettings(URI))}
    around = Surroundings(RealTime(), "here", lambda: servers, hosts)
    (gauge,) = open_gauges([{"libvirt": {"window": "5s"}}], around)
    gauge.read([*servers])  # while they boot
    return gauge.read([*servers, GONE]), Meters([gauge], Rule(), RealTime())


def test_what_waits_for_a_cpu_has_steal_what_halts_has_none(guests: dict[str, ServerId]) -> None:
    told, meters = read(guests)
    one, two, halted = (told.readings[guests[name]] for name in ("burner-1", "burner-2", "halted"))
    for burner in (one, two):
        assert burner.steal is not None
        assert burner.steal > 0.2
        assert burner.cpu_demand is not None
        assert 0.5 < burner.cpu_demand < 1.3
        assert burner.estimated
    assert halted.steal is not None
    assert halted.steal < 0.1
    assert set(told.missing) == {GONE}
    loads = meters.loads(list(guests.values()))
    assert len(loads) == 3
    assert {load.source for load in loads.values()} == {"libvirt: host steal, load estimated from demand"}


def test_a_guest_that_is_suspended_is_not_measured(guests: dict[str, ServerId]) -> None:
    connection = libvirt().open(URI)
    domain = connection.lookupByUUIDString(guests["halted"])
    domain.suspend()
    try:
        told, _ = read(guests)
    finally:
        domain.resume()
        connection.close()
    assert told.missing[guests["halted"]] == "it does not run"
