"""Watari (渡り): move servers, hosts and projects of OpenStack clouds without anyone noticing."""

__version__ = "0.1.0"
