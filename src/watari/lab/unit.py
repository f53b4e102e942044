"""One service of the lab: how it is started, when it is ready, how it is stopped."""

import http.client
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Probe = Callable[[], bool]


def always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Unit:
    """A service. Without `argv` it is forked by Nova's zygote (see virt/zygote.py).

    `ready`: whether it serves, asked again and again after a start. `stop_group`: its children need the signal as
    well. `patience_s`: how long a start may take.
    """

    name: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    ready: Probe = always
    stop_s: float = 8.0
    stop_group: bool = False
    patience_s: float = 120.0


def listens(port: int) -> Probe:
    """Ready when the port takes connections."""

    def probe() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return False
        return True

    return probe


def answers(port: int, path: str = "/") -> Probe:
    """Ready when the port answers HTTP with anything but an error of the server's."""

    def probe() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe
