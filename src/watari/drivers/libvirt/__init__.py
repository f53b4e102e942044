"""Plain libvirt hosts, without OpenStack, behind the same ports."""

from watari.drivers.libvirt.cloud import LibvirtCloud
from watari.drivers.libvirt.settings import LibvirtSettings, cloud_names, read_cloud

__all__ = ["LibvirtCloud", "LibvirtSettings", "cloud_names", "read_cloud"]
