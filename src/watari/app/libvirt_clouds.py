"""Open a cloud of plain libvirt hosts, as libvirt.yaml describes it."""

from typing import Any

from watari.app.clouds import Cloud, NoMeter
from watari.app.metering import with_meters
from watari.drivers.clock import RealTime
from watari.drivers.libvirt import LibvirtCloud, LibvirtSettings, read_cloud
from watari.drivers.orchestrators import Surroundings, open_orchestrators
from watari.drivers.prometheus import read_settings


def open_libvirt(name: str) -> Cloud:
    """Nothing is asked of any host yet. Raises BadInput for what is wrong in the cloud's section."""
    settings, where = read_cloud(name)
    compute = LibvirtCloud(name, settings, RealTime(), where)
    around = Surroundings(compute.clock, where)
    orchestrators = open_orchestrators(settings.orchestrators, around)
    cloud = Cloud(name, compute, NoMeter(), compute.clock, lambda: None, orchestrators=orchestrators)
    return with_meters(cloud, _meters(settings, where), settings.meters_rule, where, compute.hosts.connections)


def _meters(settings: LibvirtSettings, where: str) -> Any:
    """The hosts themselves tell, unless something else is named."""
    if settings.meters is not None:
        return settings.meters
    if settings.prometheus:
        read_settings(settings.prometheus, f"{where}.prometheus")  # what is wrong is told by the name that is there
        return [{"prometheus": settings.prometheus}]
    return [{"libvirt": {"window": f"{settings.window}s", "timeout": f"{settings.timeout}s"}}]
