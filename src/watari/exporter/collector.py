"""Asks libvirt at every scrape, and says so when it does not answer."""

import logging
import threading
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector as PrometheusCollector

from watari.drivers.libvirt.hosts import Connection
from watari.errors import Transient, WatariError
from watari.exporter import table
from watari.exporter.dirty import DirtyRates
from watari.exporter.families import families, single
from watari.exporter.reading import Guest, Reader

AT_ONCE: Final = 3  # libvirtd takes 5 of one client (max_client_requests)
PATIENCE_S: Final = 5.0  # Prometheus itself waits for 10 s, if it is not told otherwise
log = logging.getLogger(__name__)


class Collector(PrometheusCollector):
    """A host's metrics at this moment: all of them, or `libvirt_up 0` and nothing else.

    May be asked by several threads at once. A QEMU that is stuck keeps the call that finds it, and for that long: the
    next one passes it by. So calls may overtake each other, a few of them.
    """

    def __init__(self, connection: Connection, dirty_rates: DirtyRates | None = None) -> None:
        self._connection = connection
        self._reader = Reader(connection, dirty_rates)
        self._free = threading.Semaphore(AT_ONCE)
        self._why = ""

    def collect(self) -> Iterator[Metric]:
        try:
            guests = self._read()
        except WatariError as e:
            self._tell(str(e))
            yield single(table.UP, 0)
            return
        self._tell("")
        yield single(table.UP, 1)
        yield single(table.DOMAINS, sum(bool(guest.stats) for guest in guests))
        yield from families(guests)

    def _read(self) -> list[Guest]:
        if not self._free.acquire(timeout=PATIENCE_S):  # nobody queues behind a daemon that hangs
            raise Transient(f"{self._connection.name} has not answered the scrapes before")
        try:
            return self._read_anew()
        except WatariError:
            self._connection.forget()  # the next scrape begins anew, whatever became of this connection
            raise
        finally:
            self._free.release()

    def _read_anew(self) -> list[Guest]:
        """The second try is for a daemon that was restarted since the last scrape: the first one finds that out."""
        try:
            return self._reader.read()
        except Transient:
            self._connection.forget()
            return self._reader.read()

    def _tell(self, why: str) -> None:
        """Once when it goes away, once when it is back."""
        if why and not self._why:
            log.warning("%s; libvirt_up is 0 until it answers", why)
        elif self._why and not why:
            log.warning("%s answers again", self._connection.name)
        self._why = why
