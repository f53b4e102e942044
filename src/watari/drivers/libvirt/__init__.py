"""Plain libvirt hosts, without OpenStack, behind the same ports."""

from watari.drivers.libvirt.cloud import LibvirtCloud
from watari.drivers.libvirt.settings import cloud_names, read_cloud

__all__ = ["LibvirtCloud", "cloud_names", "read_cloud"]
