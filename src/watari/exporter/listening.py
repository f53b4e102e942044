"""Where metrics are served, and what may be wrong with that."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server

from watari.errors import BadInput, Permanent

LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a program listens: a name or an address, and a port; 0 is any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str, option: str = "--listen") -> Address:
    """HOST:PORT, an IPv6 address in brackets, as `option` has it. Raises BadInput."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not (colon and bare and port.isdecimal() and int(port) <= LARGEST_PORT) or (":" in bare) != bracketed:
        raise BadInput(
            f"{option} {text}: write an address and a port, such as 127.0.0.1:9177 or [::1]:9177; "
            "0.0.0.0:9177 or [::]:9177 is every address of this host"
        )
    return Address(bare, int(port))


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
                "end that one, or name another port"
            )
        case errno.EACCES:
            return Permanent(f"cannot listen on {listen}: {why}; ports under 1024 are for root: take a higher one")
        case errno.EADDRNOTAVAIL:
            return BadInput(f"{listen}: this host has no such address; see ip address")
    return BadInput(f"{listen}: {why}")
