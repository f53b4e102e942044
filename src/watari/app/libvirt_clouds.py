"""Open a cloud of plain libvirt hosts, as libvirt.yaml describes it."""

from watari.app.clouds import Cloud, NoMeter, no_meter
from watari.drivers.clock import RealTime
from watari.drivers.libvirt import LibvirtCloud, read_cloud
from watari.drivers.orchestrators import Surroundings, open_orchestrators


def open_libvirt(name: str) -> Cloud:
    """Nothing is asked of any host yet. Raises BadInput for what is wrong in the cloud's section."""
    settings, where = read_cloud(name)
    compute = LibvirtCloud(name, settings, RealTime(), where)
    around = Surroundings(compute.clock, where)
    orchestrators = open_orchestrators(settings.orchestrators, around)
    return Cloud(name, compute, NoMeter(), compute.clock, lambda: None, missing=no_meter, orchestrators=orchestrators)
