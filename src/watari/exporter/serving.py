"""The exporter as a program: whom it asks, and until when."""

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, ProcessCollector
from pydantic import ValidationError

from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import libvirt
from watari.drivers.libvirt.settings import HostSettings
from watari.errors import BadInput
from watari.exporter.collector import Collector
from watari.exporter.dirty import DirtyRates
from watari.exporter.listening import Address, listening
from watari.model.compute import HostName


def connect(uri: str, *, read_only: bool) -> Connection:
    """A connection that is opened when it is needed. Raises BadInput for what is no address of a libvirt.

    Other hosts may vanish without a word; of a daemon on this one the kernel tells when it is gone.
    """
    libvirt()
    try:
        return Connection(HostName(uri), HostSettings(uri=uri), read_only, keepalive=bool(urlsplit(uri).netloc))
    except ValidationError as e:
        why = e.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadInput(f"--uri {uri}: {why}; on this host qemu:///system") from e


def serve(
    uri: str, listen: Address, dirty_every_s: float | None, ended: threading.Event, say: Callable[[str], None]
) -> None:
    """Answer scrapes until `ended`. Raises BadInput, and Permanent if it cannot listen there."""
    rates = DirtyRates(connect(uri, read_only=False), dirty_every_s) if dirty_every_s else None
    registry = CollectorRegistry(auto_describe=False)
    collector = Collector(connect(uri, read_only=True), rates)
    registry.register(collector)
    ProcessCollector(registry=registry)
    with listening(registry, listen) as address:
        say(f"serving http://{address}/metrics of {uri}; Ctrl-C ends it")
        list(collector.collect())  # says at once if libvirt does not answer
        if rates:
            rates.start()
        ended.wait()
        if rates:
            rates.stop()
