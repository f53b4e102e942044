"""A world for the contract of the ports in a real cloud: what it needs is found there, or made, and brought back."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from contract.world import BUSY, World
from watari.drivers.openstack import OpenStackCloud, RealTime, connect
from watari.errors import Refused, Transient
from watari.model.compute import Flight, Host, HostName, Load, PastMove, ServerId
from watari.ports import Inventory, Meter, MigrationId

PREFIX = "contract-"
REASON = "contract: nothing may be placed here"
SMALL = {"ram": 512, "vcpus": 1, "disk": 1}
API = "2.90"  # servers without a network, on a host of our choice
NEAR = 7  # hosts of one zone: of the servers, target, spare, the frail one's, full, snug, disabled
PATIENCE_S = 180.0
LOOK_S = 0.5
Moved = TypeVar("Moved", Flight, PastMove)


class Within(OpenStackCloud):
    """A part of a cloud as if it were all of it: some hosts, and what is on them. Elsewhere others are at work."""

    def __init__(self, whole: OpenStackCloud, hosts: Iterable[HostName]) -> None:
        super().__init__(whole.calls, whole.settings, whole.clock)
        self.part = frozenset(hosts)

    def inventory(self) -> Inventory:
        whole = super().inventory()
        servers = {id: server for id, server in whole.servers.items() if server.host in self.part}
        groups = {g.id: replace(g, members=g.members.intersection(servers)) for g in whole.groups.values()}
        return replace(
            whole, hosts={name: host for name, host in whole.hosts.items() if name in self.part}, servers=servers,
            groups=groups, flights=self._ours(whole.flights), past=self._ours(whole.past),
        )  # fmt: skip

    def flights(self) -> tuple[Flight, ...]:
        return self._ours(super().flights())

    def _ours(self, moves: tuple[Moved, ...]) -> tuple[Moved, ...]:
        return tuple(move for move in moves if move.source in self.part)


class NoMeter:
    """A meter without data, where the lab has none."""

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        return {}


@dataclass(frozen=True)
class LabWorld(World):
    """A world in a real cloud. `homes`: where its servers belong; `pace` sets how long live moves take, in seconds.

    What is expensive is done only when it has to be: `server` and `off` stay where a test has left them, as long as
    that is one of the three hosts of `ring`, and `placed` gives the other two their parts.
    """

    nova: Any = None
    homes: Mapping[ServerId, HostName] = field(default_factory=dict)
    ring: tuple[HostName, ...] = ()
    near: tuple[HostName, ...] = ()
    zone: str = ""
    pace: Callable[[float], None] | None = None
    live_s: float = 1.0

    def placed(self) -> "LabWorld":
        """The world with target and spare as they have to be now."""
        at, off = self.where(self.server), self.where(self.off)
        target = next(host for host in self.ring if host not in (at, off))
        spare = next(host for host in self.ring if host not in (at, target))
        return replace(self, target=target, spare=spare)

    def restore(self) -> None:
        for service in self.nova.services(binary="nova-compute"):
            if service.host not in self.near:
                continue
            if service.status == "disabled" and service.host != self.disabled:
                self.compute.enable_host(service.host)
            if service.status == "enabled" and service.host == self.disabled:
                self.compute.disable_host(self.disabled, REASON)
        away = [server.id for server in self._seen() if not self._is_home(server)]
        if not away:
            return
        if self.pace is not None:
            self.pace(0.0)
        for server in away:
            self._calm(server)
        for server in away:
            if self.where(server) not in self._homes_of(server):
                self._bring(server, self.homes[server])
        if self.pace is not None:
            self.pace(self.live_s)

    def _seen(self) -> list[Any]:
        """The world's servers as Nova shows them, in one call."""
        found = self.nova.servers(all_projects=True, availability_zone=self.zone)
        return [server for server in found if server.id in self.homes]

    def settle(self) -> None:
        self.wait("every server to come to rest", lambda: not self._busy())
        super().settle()

    def _busy(self) -> bool:
        return any(server.status in BUSY for server in self._seen())

    def _is_home(self, server: Any) -> bool:
        wanted = "SHUTOFF" if server.id == self.off else "ACTIVE"
        here = server.compute_host in self._homes_of(server.id)
        return here and (server.status, server.task_state) == (wanted, None)

    def _homes_of(self, server: ServerId) -> tuple[HostName, ...]:
        return self.ring if server in (self.server, self.off) else (self.homes[server],)

    def _calm(self, server: ServerId) -> None:
        """Nothing goes on with it any more, and it is on or off as it should be."""
        self.wait(f"{server} to come to rest", lambda: not self._task(server))
        if self.locate(server).status == "VERIFY_RESIZE":
            self.nova.confirm_server_resize(server)
            self.wait(f"{server} to stay", lambda: self.locate(server).status != "VERIFY_RESIZE")
        wanted = "SHUTOFF" if server == self.off else "ACTIVE"
        if self.locate(server).status != wanted:
            (self.nova.stop_server if server == self.off else self.nova.start_server)(server)
            self.wait(f"{server} to be {wanted}", lambda: self.locate(server).status == wanted)

    def _bring(self, server: ServerId, home: HostName) -> None:
        if self.where(server) == home:
            return
        if server == self.off:
            id = self._asked(lambda: self.compute.start_cold_migration(server, home))
            self.arrived(id)
            self.compute.confirm_migration(id)
        else:
            id = self._asked(lambda: self.compute.start_live_migration(server, home))
        self.wait(f"{server} to come home", lambda: self.compute.migration(id).over)
        self.wait(f"{server} to come to rest", lambda: not self._task(server))
        assert self.where(server) == home, self.compute.migration(id)

    def _asked(self, start: Callable[[], MigrationId]) -> MigrationId:
        """Places are given back a moment after a move has ended; a host that came back is believed after a while."""
        for _ in range(30):
            try:
                return start()
            except (Refused, Transient):
                self.clock.sleep(1.0)
        return start()

    def _task(self, server: ServerId) -> str:
        return str(self.nova.get_server(server).task_state or "")


def lab_world(
    cloud_name: str,
    clouds_yaml: str | Path,
    meter: Meter | None = None,
    *,
    kill_host: Callable[[HostName], None] | None = None,
    revive_host: Callable[[HostName], None] | None = None,
    pace: Callable[[float], None] | None = None,
    hold: Callable[[bool], None] | None = None,
    zone: str = "",
) -> LabWorld:
    """A world with nothing under way, in a cloud with at least seven hosts in one zone and one in another.

    In `zone`, or in the one with most hosts; what others do elsewhere meanwhile is their business.
    A cloud without such zones gets aggregates for them, if its hosts are in none yet. Servers, flavors, the image and
    the group are called contract-…; `forget_world` takes them away. `pace` arranges how long live moves take, `hold`
    that they stand still; without them the lab has to make them take several seconds.
    """
    cloud = _connection(cloud_name, clouds_yaml)
    watari = connect(cloud_name, [clouds_yaml])
    zone, near, far = _zones(cloud, watari, zone)
    home, target, spare, alone, off, snug, full = map(HostName, near)
    servers = _servers(cloud, near)
    world = LabWorld(
        Within(watari, map(HostName, near)), meter or NoMeter(), RealTime(),
        server=servers["web-1"], target=target, spare=spare, other_zone=HostName(far[0]), full=full, snug=snug,
        disabled=off, apart=servers["db-1"], apart_from=target, silent=servers["mute-1"], off=servers["off-1"],
        frail=servers["frail-1"], kill_host=kill_host, revive_host=revive_host, hold=hold, patience_s=PATIENCE_S,
        look_s=LOOK_S, nova=_nova(cloud), pace=pace, ring=(home, target, spare), near=tuple(map(HostName, near)),
        zone=zone,
        homes={
            servers["web-1"]: home, servers["db-1"]: home, servers["off-1"]: home, servers["db-2"]: target,
            servers["mute-1"]: spare, servers["frail-1"]: alone,
        },
    )  # fmt: skip
    world.restore()
    if pace is not None:
        pace(world.live_s)
    return world


def forget_world(cloud_name: str, clouds_yaml: str | Path) -> None:
    """Take away what `lab_world` made in the cloud; aggregates for zones stay."""
    cloud, watari = _connection(cloud_name, clouds_yaml), connect(cloud_name, [clouds_yaml])
    nova = _nova(cloud)
    for server in _named(nova.servers()):
        nova.delete_server(server, force=True)
        nova.wait_for_delete(server, interval=0.5, wait=60)
    for group in _named(nova.server_groups()):
        nova.delete_server_group(group)
    for flavor in _named(nova.flavors()):
        nova.delete_flavor(flavor)
    for image in _named(cloud.image.images()):
        cloud.image.delete_image(image)
    for host in watari.inventory().hosts.values():
        if host.state_note == REASON:
            watari.enable_host(host.name)


def _named(things: Iterable[Any]) -> list[Any]:
    return [thing for thing in things if thing.name.startswith(PREFIX)]


def _connection(cloud_name: str, clouds_yaml: str | Path) -> Connection:
    return Connection(config=OpenStackConfig(config_files=[str(clouds_yaml)]).get_one(cloud=cloud_name))


def _nova(cloud: Connection) -> Any:
    cloud.compute.default_microversion = API
    return cloud.compute


def _zones(cloud: Connection, watari: OpenStackCloud, wanted: str) -> tuple[str, list[str], list[str]]:
    """That zone or the one with most hosts, its hosts, and all others; zones are made where there are none."""
    hosts = list(watari.inventory().hosts.values())
    if len(_by_zone(hosts)) < 2:
        names = sorted(h.name for h in hosts if not h.aggregates)
        for zone, members in (("az1", names[:NEAR]), ("az2", names[NEAR:])):
            aggregate = _nova(cloud).create_aggregate(name=zone, availability_zone=zone)
            for host in members:
                _nova(cloud).add_host_to_aggregate(aggregate, host)
        hosts = list(watari.inventory().hosts.values())
    by_zone = _by_zone(hosts)
    near = wanted or max(sorted(by_zone), key=lambda zone: len(by_zone[zone]))
    far = sorted(host for zone, names in by_zone.items() if zone != near for host in names)
    if len(by_zone.get(near, ())) < NEAR or not far:
        raise AssertionError(f"the contract needs {NEAR} hosts in one zone and one in another, here are {by_zone}")
    return near, sorted(by_zone[near])[:NEAR], far


def _by_zone(hosts: Iterable[Host]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for host in hosts:
        out.setdefault(host.zone, []).append(host.name)
    return out


def _servers(cloud: Connection, near: list[str]) -> dict[str, ServerId]:
    """Ids of the world's servers, by name; each is made on its host if it is missing."""
    nova, (home, target, spare, alone, _, snug, full) = _nova(cloud), near
    image: Any = next(iter(_named(cloud.image.images())), None) or cloud.create_image(
        f"{PREFIX}tiny", data=b"\0" * 1024, disk_format="raw", container_format="bare", wait=True
    )
    groups = {g.name: g for g in nova.server_groups()}
    group = groups.get(f"{PREFIX}db") or nova.create_server_group(name=f"{PREFIX}db", policy="anti-affinity")
    half = SMALL["ram"] // 2
    places = (
        ("fill-1", full, _filler(cloud, full, half), None), ("fill-2", snug, _filler(cloud, snug, 3 * half), None),
        ("web-1", home, SMALL, None), ("off-1", home, SMALL, None), ("db-1", home, SMALL, group.id),
        ("db-2", target, SMALL, group.id), ("mute-1", spare, SMALL, None), ("frail-1", alone, SMALL, None),
    )  # fmt: skip
    have = {s.name: s for s in _named(nova.servers())}
    for name, host, size, in_group in places:
        if PREFIX + name not in have:
            hints = {"scheduler_hints": {"group": in_group}} if in_group else {}
            server = nova.create_server(
                name=PREFIX + name,
                image_id=image.id,
                flavor_id=_flavor(nova, size),
                networks="none",
                host=host,
                **hints,
            )
            have[PREFIX + name] = nova.wait_for_server(server, wait=120, interval=0.5)
    return {name: ServerId(have[PREFIX + name].id) for name, *_ in places}


def _filler(cloud: Connection, host: str, left_mib: int) -> dict[str, int]:
    """A flavor that leaves that much memory on a host, beside what is there."""
    node = next(h for h in _nova(cloud).hypervisors(details=True) if h.name == host)
    provider = f"/resource_providers/{node.id}"
    row = cloud.placement.get(f"{provider}/inventories").json()["inventories"]["MEMORY_MB"]
    used = cloud.placement.get(f"{provider}/usages").json()["usages"].get("MEMORY_MB", 0)
    return {**SMALL, "ram": int((row["total"] - row["reserved"]) * row["allocation_ratio"]) - used - left_mib}


def _flavor(nova: Any, size: dict[str, int]) -> str:
    name = f"{PREFIX}{size['ram']}"
    flavor = nova.find_flavor(name) or nova.create_flavor(name=name, **size)
    return str(flavor.id)
