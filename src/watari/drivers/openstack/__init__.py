"""A real OpenStack cloud behind the Compute port, on openstacksdk's configuration and keystoneauth's transport."""

from watari.drivers.clock import RealTime
from watari.drivers.openstack.cloud import OpenStackCloud
from watari.drivers.openstack.connect import cloud_names, connect

__all__ = ["OpenStackCloud", "RealTime", "cloud_names", "connect"]
