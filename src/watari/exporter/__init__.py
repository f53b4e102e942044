"""What the servers of one libvirt host get and suffer, for Prometheus: `watari exporter`."""

from watari.exporter.collector import Collector
from watari.exporter.reading import Guest, Reader

__all__ = ["Collector", "Guest", "Reader"]
