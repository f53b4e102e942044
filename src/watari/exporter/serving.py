"""The exporter as a program: where it listens, and until when."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from pydantic import ValidationError

from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import libvirt
from watari.drivers.libvirt.settings import HostSettings
from watari.errors import BadInput, Permanent
from watari.exporter.collector import Collector
from watari.exporter.dirty import DirtyRates
from watari.model.compute import HostName

LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where it listens: a name or an address, and a port; 0 is any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str) -> Address:
    """HOST:PORT, an IPv6 address in brackets. Raises BadInput."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not (colon and bare and port.isdecimal() and int(port) <= LARGEST_PORT) or (":" in bare) != bracketed:
        raise BadInput(
            f"--listen {text}: write an address and a port, such as 127.0.0.1:9177 or [::1]:9177; "
            "0.0.0.0:9177 or [::]:9177 is every address of this host"
        )
    return Address(bare, int(port))


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


@contextmanager
def listening(registry: CollectorRegistry, listen: Address) -> Iterator[Address]:
    """Serves the registry while it is entered; yields where. Raises BadInput, Permanent."""
    try:
        server, thread = start_http_server(listen.port, listen.host, registry)
    except OSError as e:
        raise _refusal(listen, e) from e
    try:
        yield Address(listen.host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _refusal(listen: Address, error: OSError) -> Permanent:
    why = error.strerror or os.strerror(error.errno or 0)
    match error.errno:
        case errno.EADDRINUSE:
            return Permanent(
                f"{listen} is taken by another program (see ss -ltnp; the common exporters use this port, too): "
                "end that one, or give --listen another port"
            )
        case errno.EACCES:
            return Permanent(f"cannot listen on {listen}: {why}; ports under 1024 are for root: take a higher one")
        case errno.EADDRNOTAVAIL:
            return BadInput(f"--listen {listen}: this host has no such address; see ip address")
    return BadInput(f"--listen {listen}: {why}")
