"""`watari exporter` against the kernel's own counts, and over a move."""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from command import Watari, ending, until
from rigs.libvirt.guest import Guest, nova_metadata
from rigs.libvirt.hosts import SPECS
from rigs.libvirt.rig import Rig
from watari.errors import Transient
from watari.ports import MigrationId

if TYPE_CHECKING:
    from watari.drivers.libvirt import LibvirtCloud

WITHIN = 0.02
PORTS = {"h1": 9177, "h2": 9178}
DELAY = "libvirt_domain_vcpu_delay_seconds_total"
RAN = "libvirt_domain_vcpu_time_seconds_total"
Samples = dict[tuple[str, str], float]  # by metric and instance id


@contextmanager
def exporting(watari: Watari, host: str) -> Iterator[None]:
    listen = f"127.0.0.1:{PORTS[host]}"
    with ending(watari.start("exporter", "--uri", SPECS[host].uri, "--listen", listen)) as process:
        until(f"the exporter of {host}", lambda: process.poll() is not None or scraped(host))
        assert process.poll() is None, process.communicate()
        yield


def scraped(host: str) -> Samples:
    """What the exporter says now, summed over vCPUs; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[host]}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found: Samples = {("up", ""): 1.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("uuid") or sample.labels.get("instance_id") or "")
            found[key] = found.get(key, 0.0) + sample.value
    return found


def test_done_when_its_numbers_are_those_of_the_kernel(rig: Rig, watari: Watari) -> None:
    guests = [Guest(f"burner-{n}", 10 + n, burn=1) for n in (1, 2, 3)]
    rig.boot("h1", *guests)
    with exporting(watari, "h1"):
        kernel, told = {g.uuid: rig.schedstat(g) for g in guests}, scraped("h1")
        time.sleep(30.0)
        kernel_after, told_after = {g.uuid: rig.schedstat(g) for g in guests}, scraped("h1")
    for guest in guests:
        ran, waited = (b - a for a, b in zip(kernel[guest.uuid], kernel_after[guest.uuid], strict=True))
        assert waited > 5.0
        key = (DELAY, guest.uuid)
        assert told_after[key] - told[key] == pytest.approx(waited, rel=WITHIN)
        key = (RAN, guest.uuid)
        assert told_after[key] - told[key] == pytest.approx(ran, rel=WITHIN)


def test_a_guest_that_moves_is_told_of_once_and_by_novas_names(rig: Rig, watari: Watari) -> None:
    from watari.drivers.clock import RealTime
    from watari.drivers.libvirt import LibvirtCloud
    from watari.drivers.libvirt.settings import HostSettings, LibvirtSettings
    from watari.model.compute import HostName, ServerId

    guest = Guest("web-1", 21, memory_mib=128, metadata=nova_metadata("shop-1", "shop", "m1.tiny"))
    rig.boot("h1", guest)
    cloud = LibvirtCloud("rig", LibvirtSettings({n: HostSettings(s.uri) for n, s in SPECS.items()}), RealTime())
    with ExitStack() as stack:
        for host in PORTS:
            stack.enter_context(exporting(watari, host))
        id = cloud.start_live_migration(ServerId(guest.uuid), HostName("h2"), 6.0)
        seen: list[set[str]] = []
        while not is_over(cloud, id):
            seen.append(told_of(guest))
        assert cloud.migration(id).status == "done"
        assert len(seen) > 3
        assert all(len(hosts) <= 1 for hosts in seen), seen
        assert {"h1"} in seen
        assert told_of(guest) == {"h2"}
        assert ("libvirt_domain_openstack_info", guest.uuid) in scraped("h2")


def is_over(cloud: "LibvirtCloud", id: MigrationId) -> bool:
    """A domain may leave its host between two questions: then it is asked again, as whoever watches a move does."""
    try:
        return cloud.migration(id).over
    except Transient:
        return False


def told_of(guest: Guest) -> set[str]:
    return {host for host in PORTS if (DELAY, guest.uuid) in scraped(host)}
