"""Loads of servers from whatever speaks Prometheus' HTTP API."""

from watari.drivers.prometheus.meter import PrometheusMeter
from watari.drivers.prometheus.report import Report
from watari.drivers.prometheus.settings import PrometheusSettings, read_settings

__all__ = ["PrometheusMeter", "PrometheusSettings", "Report", "read_settings"]
