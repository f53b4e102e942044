"""All services of a lab: the table of them, and start, stop and look at one of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from watari.errors import BadInput, Permanent
from watari.lab import process
from watari.lab.command import tail
from watari.lab.glance import glance_unit
from watari.lab.keystone import keystone_unit
from watari.lab.mariadb import mariadb_unit
from watari.lab.memcached import memcached_unit
from watari.lab.neutron import neutron_unit
from watari.lab.nova import ZYGOTE, forked_units, nova_api_unit, zygote_unit
from watari.lab.place import Place
from watari.lab.placement import placement_unit
from watari.lab.prometheus import exporter_unit, prometheus_unit
from watari.lab.rabbitmq import epmd_unit, rabbitmq_unit
from watari.lab.unit import Unit, listens

POLL_S = 0.1
BASE = ("epmd", "mariadb", "rabbitmq", "memcached")
APIS = ("keystone", "placement", "nova-api", "neutron", "glance")
METERS = ("exporter", "prometheus")


class Failed(Permanent):
    """A service did not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Services:
    """The units of one lab, in the order in which they start."""

    place: Place
    units: Mapping[str, Unit]

    @classmethod
    def of(cls, place: Place) -> "Services":
        units = (
            epmd_unit(place),
            mariadb_unit(place),
            rabbitmq_unit(place),
            memcached_unit(place),
            keystone_unit(place),
            placement_unit(place),
            nova_api_unit(place),
            zygote_unit(place),
            neutron_unit(place),
            glance_unit(place),
            exporter_unit(place),
            prometheus_unit(place),
            *forked_units(place),
        )
        return cls(place, {unit.name: unit for unit in units})

    @property
    def forked(self) -> tuple[str, ...]:
        return tuple(name for name, unit in self.units.items() if not unit.argv)

    def unit(self, name: str) -> Unit:
        try:
            return self.units[name]
        except KeyError:
            raise BadInput(f"the lab has no service {name}; it has {', '.join(self.units)}") from None

    def identity(self, name: str) -> process.Identity | None:
        return process.read_pid_file(self.place.paths.pid_of(self.unit(name).name))

    def start(self, name: str) -> bool:
        """Start a service without waiting for it; False if it runs already. Raises BadInput if its port is taken."""
        unit, paths = self.unit(name), self.place.paths
        if self.identity(name) is not None:
            return False
        if not unit.argv:
            self.start(ZYGOTE)
            self._wish(name).parent.mkdir(exist_ok=True)
            self._wish(name).touch()
            return True
        self._check_port(unit)
        try:
            identity = process.spawn(unit.argv, unit.env, paths.log_of(name), paths.pid_of(name))
        except FileNotFoundError:
            raise BadInput(f"{name}: there is no program {unit.argv[0]}; is its package installed?") from None
        if identity is None:
            raise self.failure(name, "ended at once")
        return True

    def check_ports(self) -> None:
        """Raises BadInput if another process has a port of a service that does not run."""
        for name, unit in self.units.items():
            if self.identity(name) is None:
                self._check_port(unit)

    def wait(self, name: str, cancelled: Callable[[], bool] = lambda: False) -> float:
        """Wait until a started service serves; the seconds that took. Raises Failed with the end of its log."""
        unit, began = self.unit(name), time.monotonic()
        while not cancelled():
            waited = time.monotonic() - began
            wanted = self.wanted(name)  # before it is looked for: a wish goes away once there is a pid file
            alive = self.identity(name) is not None
            if alive and unit.ready():
                return waited
            if not alive and not wanted and waited > 1.0:
                raise self.failure(name, "ended")
            if not alive and wanted and self.identity(ZYGOTE) is None:
                raise self.failure(ZYGOTE, "ended")
            if waited > unit.patience_s:
                raise self.failure(name, f"does not serve after {unit.patience_s:.0f} s")
            time.sleep(POLL_S)
        return time.monotonic() - began

    def wanted(self, name: str) -> bool:
        """Nova's zygote is about to start it."""
        return self._wish(name).exists()

    def gone(self, name: str) -> bool:
        """It does not run, and is not about to."""
        return not self.wanted(name) and self.identity(name) is None  # in this order, see `wait`

    def stop(self, name: str) -> None:
        """Ask a service to end, and insist after a while. Nothing if it does not run."""
        unit, paths = self.unit(name), self.place.paths
        self._wish(name).unlink(missing_ok=True)
        process.stop(paths.pid_of(name), unit.stop_s, whole_group=unit.stop_group)

    def failure(self, name: str, what: str) -> Failed:
        log = self.place.paths.log_of(name)
        end = tail(log.read_bytes()) if log.exists() else "    (no log)"
        return Failed(f"{name} {what}; the end of {log}:\n{end}")

    def _wish(self, name: str) -> Path:
        return self.place.paths.run / "want" / name

    def _check_port(self, unit: Unit) -> None:
        if unit.port is not None and listens(unit.port)():
            raise BadInput(
                f"{unit.name} needs port {unit.port}, which another process has; "
                f"stop that, or give the lab other ports with --base-port"
            )
