"""Open a cloud of plain libvirt hosts, as libvirt.yaml describes it."""

from typing import Any

from watari.app.clouds import Cloud, NoMeter
from watari.app.metering import with_meters
from watari.drivers.clock import RealTime
from watari.drivers.libvirt import LibvirtCloud, read_cloud
from watari.drivers.libvirt.settings import LibvirtSettings
from watari.drivers.orchestrators import Surroundings, open_orchestrators
from watari.drivers.prometheus import read_settings


def open_libvirt(name: str) -> Cloud:
    """Nothing is asked of any host yet. Raises BadInput for what is wrong in the cloud's section."""
    settings, where = read_cloud(name)
    compute = LibvirtCloud(name, settings, RealTime(), where)
    orchestrators = open_orchestrators(settings.orchestrators, Surroundings(compute.clock, where))
    cloud = Cloud(name, compute, NoMeter(), compute.clock, lambda: None, orchestrators=orchestrators)
    return with_meters(cloud, _meters(settings, where), settings.meters_rule, where, compute.hosts.connections)


def _meters(settings: LibvirtSettings, where: str) -> Any:
    """What the section lists; without anything the hosts themselves are asked. Raises BadInput, as it is written."""
    if settings.prometheus:
        read_settings(settings.prometheus, f"{where}.prometheus")
        return [{"prometheus": settings.prometheus}]
    if settings.meters is not None:
        return settings.meters
    return [{"libvirt": {"window": f"{settings.window}s", "timeout": f"{settings.timeout}s"}}]
