"""A world for the contract of the ports on plain libvirt hosts: eight of them, with five small guests."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from contract.world import World
from rigs.libvirt.guest import Guest, Image
from rigs.libvirt.hosts import PREFIX, Hosts, HostSpec, standing_in
from rigs.libvirt.rig import Rig
from watari.drivers.clock import RealTime
from watari.drivers.config import read_section
from watari.drivers.gauges import read_rule
from watari.drivers.libvirt import LibvirtCloud, LibvirtSettings
from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import is_missing, libvirt
from watari.drivers.libvirt.meter import LibvirtGauge, LibvirtMeterSettings
from watari.model.compute import HostName, ServerId
from watari.observe.meters import Meters

RING: Final = ("home", "target", "spare")  # where the server may be left
SPECS: Final = tuple(
    HostSpec(name, 21 + n, n % 2) for n, name in enumerate((*RING, "alone", "snug", "full", "out", "far"))
)
GUEST_MIB: Final = 96
MEMORY_MIB: Final = {"full": GUEST_MIB // 2, "snug": GUEST_MIB * 3 // 2}  # that guests may use
ROOMY_MIB: Final = 4096
NOTE: Final = "contract: nothing may be placed here"
STILL_MIB_S, FREE_MIB_S = 1, 1000
LACKS: Final = {
    "cold": "plain libvirt has no cold moves: nothing would take one back",
    "evacuation": "plain libvirt keeps no description of a dead host's servers, and so cannot rebuild them",
    "groups": "plain libvirt knows no groups of servers",
    "memory of dead hosts": "all that plain libvirt knows of a host and its servers is on that host, and dead with it",
}


@dataclass(frozen=True)
class LibvirtWorld(World):
    """The same hosts for all tests. What is expensive is done only when it has to be: see `placed`."""

    rig: Rig = field(kw_only=True)

    def placed(self) -> "LibvirtWorld":
        """With target and spare as they have to be now: the server stays where the last test left it in the ring."""
        target, spare = (HostName(name) for name in RING if name != self.where(self.server))
        return replace(self, target=target, spare=spare)

    def restore(self) -> None:
        self.settle()
        for host in self.compute.inventory().hosts.values():
            if host.state == "disabled" and host.name != self.disabled:
                self.compute.enable_host(host.name)
            elif host.state == "up" and host.name == self.disabled:
                self.compute.disable_host(host.name, NOTE)
        if self.where(self.server) not in RING:
            self.arrived(self.compute.start_live_migration(self.server, HostName(RING[0])))


@contextmanager
def libvirt_world(folder: Path, image: Image) -> Iterator[LibvirtWorld]:
    """Hosts of its own, beside those of the rig; this process has to stand in `rig.hosts.probe` to reach them."""
    folder.mkdir(parents=True, exist_ok=True)
    hosts = Hosts(folder, SPECS, f"{PREFIX}c")
    try:
        hosts.up()
        with standing_in(hosts.probe):
            world = _peopled(Rig(hosts, image))
        yield world
    finally:
        hosts.down()


def _peopled(rig: Rig) -> LibvirtWorld:
    web, db, mute, frail, off = (
        Guest(f"{name}-1", 21 + n, GUEST_MIB) for n, name in enumerate(("web", "db", "mute", "frail", "off"))
    )
    for host, guest in (("full", mute), ("alone", frail), ("home", web), ("home", db)):
        rig.start(host, guest)
    rig.await_answers(web, db, mute, frail)
    with _connected(rig, "home") as c:
        c.defineXML(off.xml(rig.image))
    section = {"hosts": {spec.name: _settings(spec) for spec in SPECS}, "timeout": "4s"}
    settings = read_section(LibvirtSettings, section, "contract", "")
    cloud = LibvirtCloud("contract", settings, RealTime())
    ids = {guest.name: ServerId(guest.uuid) for guest in (web, db, mute, frail, off)}

    def hold(still: bool) -> None:
        for guest in (web, db):
            _pace(rig, guest, STILL_MIB_S if still else FREE_MIB_S)

    def kill(host: HostName) -> None:
        """It says nothing any more, not even that it is gone."""
        rig.hosts.cut(host)
        rig.hosts.kill(host)
        world.wait(f"{host} to be down", lambda: world.host(host).state == "down")

    def revive(host: HostName) -> None:
        rig.hosts.mend(host)
        rig.hosts.restore(host)
        with _connected(rig, host) as c:
            c.createXML(frail.xml(rig.image), 0)  # its guests died with it
        world.wait(f"{host} to be back", lambda: world.host(host).state != "down")

    world = LibvirtWorld(
        cloud, _meter(cloud), cloud.clock, server=ids["web-1"], target=HostName("target"), spare=HostName("spare"),
        other_zone=HostName("far"), full=HostName("full"), snug=HostName("snug"), disabled=HostName("out"),
        apart=ids["db-1"], apart_from=HostName("target"), silent=ids["mute-1"], off=ids["off-1"], frail=ids["frail-1"],
        kill_host=kill, revive_host=revive, hold=hold, patience_s=60.0, look_s=0.2, lacks=LACKS, rig=rig,
    )  # fmt: skip
    world.restore()
    return world


def _settings(spec: HostSpec) -> dict[str, Any]:
    memory_mib, zone = MEMORY_MIB.get(spec.name, ROOMY_MIB), "az2" if spec.name == "far" else "az1"
    return {"uri": spec.uri, "cpus": 8, "memory_mib": memory_mib, "zone": zone}


def _meter(cloud: LibvirtCloud) -> Meters:
    """The hosts' own, but for the one that is full, which it cannot reach."""

    def reached(names: Collection[HostName]) -> Mapping[HostName, Connection]:
        return {name: cloud.hosts.connections[name] for name in names if name != "full"}

    settings = read_section(LibvirtMeterSettings, {"window": "2s", "timeout": "4s"}, "contract", "")
    gauge = LibvirtGauge("hosts", reached, lambda: cloud.inventory().servers, cloud.clock, settings)
    return Meters([gauge], read_rule(None, "rule"), cloud.clock)


def _pace(rig: Rig, guest: Guest, mib_s: int) -> None:
    """How fast its moves copy, the one under way too."""
    for name in rig.where(guest):
        with _connected(rig, name) as c:
            try:
                c.lookupByUUIDString(guest.uuid).migrateSetMaxSpeed(mib_s, 0)
            except libvirt().libvirtError as e:
                if not is_missing(e):
                    raise


@contextmanager
def _connected(rig: Rig, host: str) -> Iterator[Any]:
    connection = rig.connect(host)
    try:
        yield connection
    finally:
        connection.close()
