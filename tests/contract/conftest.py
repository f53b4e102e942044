"""The worlds that the contract is tried on.

The simulator always; with WATARI_TEST_LAB=1 the lab's real OpenStack, with WATARI_TEST_RIGS=1 real libvirt hosts.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from contract.world import World
from lab import broken
from lab.parts import CONTRACT, CONTRACT_ZONE
from lab.rig import SHARED_BY_GROUPS, WANTED
from rigs.libvirt.rig import WANTED as RIGS_WANTED
from rigs.libvirt.rig import cannot, folder
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.demand import TraceDemand
from watari.drivers.sim.faults import Faults, NoMetrics
from watari.drivers.sim.spec import SimSpec
from watari.model.compute import GroupId, Host, HostName, Server, ServerGroup, ServerId, ZoneName

if TYPE_CHECKING:
    from lab_world import LabWorld
    from rigs.libvirt.world import LibvirtWorld
    from watari.lab.lab import Lab


def simulated() -> World:
    az1, az2 = ZoneName("az1"), ZoneName("az2")
    a, b, c, d, far, full, snug, out = map(HostName, ("a", "b", "c", "d", "far", "full", "snug", "out"))
    hosts = (
        Host(a, az1, 24, 65536, 1000),
        Host(b, az1, 24, 65536, 1000),
        Host(c, az1, 24, 65536, 1000),
        Host(d, az1, 24, 65536, 1000),
        Host(far, az2, 24, 65536, 1000),
        Host(full, az1, 24, 8192, 1000),
        Host(snug, az1, 24, 12288, 1000),
        Host(out, az1, 24, 65536, 1000, state="disabled", state_note="new memory"),
    )
    homes = (("web-1", a, 40), ("web-2", full, 0), ("db-1", a, 0), ("db-2", b, 0), ("mute-1", c, 0), ("frail-1", d, 0))
    servers = (
        *(Server(ServerId(name), name, host, 4, 8192, disk) for name, host, disk in homes),
        Server(ServerId("off-1"), "off-1", a, 4, 8192, 20, status="SHUTOFF"),
    )
    apart = ServerGroup(GroupId("db"), "db", "anti-affinity", frozenset({ServerId("db-1"), ServerId("db-2")}))
    spec = SimSpec("contract", hosts, servers, (apart,))
    demand = TraceDemand(np.full((1, 2), 0.5), 300.0, spec.vcpus)
    cloud = SimCloud(spec, demand, datetime(2022, 6, 1, tzinfo=UTC), faults=Faults([NoMetrics(c)]))
    return World(
        cloud, cloud, cloud, server=ServerId("web-1"), target=b, spare=c, other_zone=far, full=full, snug=snug,
        disabled=out, apart=ServerId("db-1"), apart_from=b, silent=ServerId("mute-1"), off=ServerId("off-1"),
        frail=ServerId("frail-1"), kill_host=lambda host: cloud.set_host_state(host, "down", "no power"),
        revive_host=cloud.revive_host,
    )  # fmt: skip


WORLDS: dict[str, Callable[[], World]] = {"sim": simulated}


def is_real(item: pytest.Item) -> bool:
    """Whether it is a test of the contract on the lab."""
    params = getattr(item, "callspec", None)
    return params is not None and params.params.get("world") == "lab"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if is_real(item):
        broken.check(CONTRACT)


@pytest.fixture(scope="session")
def real(lab: "Lab") -> "LabWorld":
    """A world in the lab's OpenStack, measured by its Prometheus; the same one for every test."""
    from lab.clouds import WINDOW
    from lab.power import Power
    from lab_world import lab_world
    from watari.drivers.openstack import RealTime
    from watari.drivers.prometheus import PrometheusMeter, read_settings

    hosts = lab.spec.by_zone()[CONTRACT_ZONE]

    def pace(seconds: float) -> None:
        for host in hosts:
            lab.knobs(host, seconds=seconds, cold_seconds=min(seconds, 1.0))

    def hold(still: bool) -> None:
        for host in hosts:
            lab.knobs(host, hang_copy=0.5 if still else 1.0)

    power = Power(lab)
    meter = PrometheusMeter(read_settings({"url": lab.spec.url("prometheus"), "window": WINDOW}), RealTime())
    world = lab_world(
        "lab", lab.paths.clouds_yaml, meter, kill_host=power.cut, revive_host=power.restore, pace=pace,
        hold=hold, zone=CONTRACT_ZONE,
    )  # fmt: skip
    lab.mute(world.silent)
    return world


@pytest.fixture(scope="session")
def rigged() -> "Iterator[LibvirtWorld]":
    """A world of real libvirt hosts with QEMU guests; the same one for every test."""
    from rigs.libvirt import guest, packages
    from rigs.libvirt.world import libvirt_world

    if why := cannot():
        pytest.skip(why)
    packages.install()
    with libvirt_world(folder() / "contract", guest.build(folder() / "guest")) as world:
        yield world


REAL = [*(["lab"] if WANTED else []), *(["libvirt"] if RIGS_WANTED else [])]


# Where the groups of tests on the lab share two cores the simulator is not tried again: `make test` does.
@pytest.fixture(params=REAL if SHARED_BY_GROUPS else [*sorted(WORLDS), *REAL])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Made anew for each test, or, where that is expensive, brought back to its beginning by `restore`."""
    if request.param == "lab":
        yield from _in_the_lab(request)
    elif request.param == "libvirt":
        yield from _on_the_rig(request)
    else:
        yield WORLDS[request.param]()


def _in_the_lab(request: pytest.FixtureRequest) -> Iterator[World]:
    made: World = request.getfixturevalue("real").placed()
    yield made
    with broken.breaking(CONTRACT, request.node.nodeid):
        made.restore()


def _on_the_rig(request: pytest.FixtureRequest) -> Iterator[World]:
    from rigs.libvirt.hosts import standing_in

    made: LibvirtWorld = request.getfixturevalue("rigged")
    for mark in request.node.iter_markers("needs"):
        if why := made.lacks.get(mark.args[0]):
            pytest.skip(why)
    with standing_in(made.rig.hosts.probe):
        placed = made.placed()
        yield placed
        placed.restore()
