"""The hosts of a libvirt cloud: one connection each, kept; what they have; and whether they are in service.

libvirt knows no "out of service". It is written where every Watari and every person sees it: into the description of a
secret without a value, of a fixed id, on the host itself (`virsh secret-list`).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from watari.drivers.libvirt.library import is_missing, libvirt, told
from watari.drivers.libvirt.settings import HostSettings, LibvirtSettings
from watari.errors import Refused, Transient
from watari.model.compute import Host, HostName, HostState, ZoneName

NOTE_ID: Final = "7761746c-6172-4900-8000-6f75746f6673"  # of the secret whose description says why a host is out
KEEPALIVE_S, KEEPALIVE_TRIES = 5, 3  # a host that does not answer for so long is away
T = TypeVar("T")


@dataclass(slots=True)
class Connection:
    """One host's daemon. Opened when it is needed, opened anew when it broke. `read_only` needs no rights there.

    Without `keepalive` a host that falls silent is noticed only when its end of the connection goes away, and calls are
    cheaper here: no thread is woken for each.
    """

    name: HostName
    settings: HostSettings
    read_only: bool = False
    keepalive: bool = True
    _opened: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def use(self, what: str, *, change: bool = False) -> Iterator[Any]:
        """The connection. Raises Transient while the host does not answer, and Refused when it will not `change`."""
        with told(f"{what} on {self.name}", change=change):
            yield self._alive()

    def fresh(self) -> Any:
        """A connection of the caller's own, for a call that takes as long as a move. Raises like `use`."""
        with told(f"connect to {self.name}"):
            return self._open()

    def forget(self) -> None:
        """The next use opens anew; what others are still asking goes on, and its connection ends with it."""
        with self._lock:
            self._opened = None

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                _quietly(self._opened.close)
                self._opened = None

    def _alive(self) -> Any:
        with self._lock:
            if self._opened is not None and self._opened.isAlive():
                return self._opened
        opened = self._open()  # without the lock: it may hang, and whoever asks after a reset must not
        with self._lock:
            self._opened = opened  # of two that opened at once the later is kept, the other ends with its last use
        return opened

    def _open(self) -> Any:
        lv = libvirt()
        if self.keepalive:
            _turn_events()
        opened = (lv.openReadOnly if self.read_only else lv.open)(self.settings.uri)
        if self.keepalive:
            _quietly(lambda: opened.setKeepAlive(KEEPALIVE_S, KEEPALIVE_TRIES))
        return opened


@dataclass(slots=True)
class Hosts:
    """All of them, by name."""

    settings: LibvirtSettings
    connections: Mapping[HostName, Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.connections = {HostName(n): Connection(HostName(n), s) for n, s in self.settings.hosts.items()}

    def connection(self, name: HostName) -> Connection:
        """Raises Refused for a host that is not in the file."""
        if name not in self.connections:
            raise Refused(f"there is no host {name}; there are {', '.join(self.connections)}")
        return self.connections[name]

    def read(self, name: HostName) -> Host:
        """What a host has, and its state: `down` if it does not answer."""
        connection = self.connection(name)
        s = connection.settings
        try:
            with connection.use("read what it has") as c:
                _, memory_mib, cpus, *_ = c.getInfo()
                note = _note(c)
                disk_gib = 0 if self.settings.shared_storage else _disk_gib(c)
        except Transient as e:
            return self.down(name, str(e))
        state: HostState = "disabled" if note is not None else "up"
        memory = s.memory_mib or max(0, int(memory_mib) - s.reserved_mib)
        threads = s.cpus or float(cpus)
        return Host(name, ZoneName(s.zone), threads, memory, disk_gib, s.cpu_ratio, s.link_mib_s, state, note or "")

    def down(self, name: HostName, why: str) -> Host:
        """A host that does not answer."""
        s = self.settings.hosts[name]
        return Host(name, ZoneName(s.zone), 0, 0, 0, s.cpu_ratio, s.link_mib_s, "down", why)

    def set_out(self, name: HostName, reason: str | None) -> None:
        """Out of service with a reason, or, with None, in service. Harmless if it is so already."""
        with self.connection(name).use("change its service", change=True) as c:
            if reason is not None:
                text = escape(reason)
                xml = f"<secret ephemeral='no' private='no'><description>watari: out of service: {text}</description>"
                c.secretDefineXML(f"{xml}<uuid>{NOTE_ID}</uuid></secret>", 0)
                return
            try:
                c.secretLookupByUUIDString(NOTE_ID).undefine()
            except libvirt().libvirtError as e:
                if not is_missing(e):
                    raise


def _note(c: Any) -> str | None:
    """Why the host is out of service; None if it is not."""
    try:
        xml = c.secretLookupByUUIDString(NOTE_ID).XMLDesc()
    except libvirt().libvirtError as e:
        if is_missing(e):
            return None
        raise
    text = ElementTree.fromstring(xml).findtext("description") or ""
    return text.removeprefix("watari: out of service: ")


def _disk_gib(c: Any) -> int:
    """The storage pools that are active."""
    pools = c.listAllStoragePools(libvirt().VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    return int(sum(pool.info()[1] for pool in pools) / 2**30)


def _quietly(do: Callable[[], T]) -> T | None:
    try:
        return do()
    except libvirt().libvirtError:
        return None


_turning = threading.Lock()
_turned = False


def _turn_events() -> None:
    """libvirt's own event loop, in a thread: keep-alives need it."""
    global _turned
    with _turning:
        if _turned:
            return
        lv = libvirt()
        lv.virEventRegisterDefaultImpl()

        def turn() -> None:
            while True:
                _quietly(lv.virEventRunDefaultImpl)

        threading.Thread(target=turn, daemon=True, name="libvirt-events").start()
        _turned = True
