"""Steal and demand straight from the hosts' libvirt: two looks at every host's counters, one call each."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Seconds, Word, read_section
from watari.drivers.gauges import Surroundings
from watari.drivers.libvirt.asking import AT_ONCE, Asking
from watari.drivers.libvirt.counters import Look, between, counted
from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.settings import HostSettings, Uri
from watari.errors import BadInput, Transient, WatariError
from watari.model.compute import HostName, Server, ServerId
from watari.model.readings import Reading, Told
from watari.model.reasons import Finding
from watari.ports import Clock

LOG: Final = logging.getLogger(__name__)
# libvirt's numbers, which are part of its ABI: state, vcpu; active domains only; without waiting for busy ones.
STATS: Final = (1 << 0) | (1 << 3)
FLAGS: Final = (1 << 0) | (1 << 29)
SILENT: Final = "its host does not answer"
NO_ADDRESS: Final = "its host has no address here"
ELSEWHERE: Final = "its host runs no such domain"
KEPT_S: Final = 60.0  # readings are of so long a time at most, or of two windows
_SHOWN: Final = 5


def _template(text: str) -> str:
    if "{host}" not in text:
        raise ValueError('write it with {host} in it, in quotes: "qemu+tls://{host}/system"')
    return text


@dataclass(frozen=True, slots=True, config=CLOSED)
class LibvirtMeterSettings:
    """`uri`: how a host's libvirt is reached, {host} being its name; `hosts`: the addresses of those that differ.

    `window`: between two looks. `timeout`: how long one host may take. `at_once`: so many hosts are asked at a time.
    """

    uri: Annotated[Uri, AfterValidator(_template)] | None = None
    hosts: dict[Word, Uri] = Field(default_factory=dict)
    window: Annotated[Seconds, Field(ge=2, le=60)] = 10
    timeout: Annotated[Seconds, Field(ge=1, le=120)] = 10
    at_once: Annotated[int, Field(ge=1, le=512)] = AT_ONCE


Connections = Callable[[Collection[HostName]], Mapping[HostName, Connection]]  # of those hosts that can be reached


class LibvirtGauge:
    """Each host is looked at twice, a window apart; once where the last look is not long ago."""

    def __init__(
        self, name: str, connections: Connections, servers: Callable[[], Mapping[ServerId, Server]], clock: Clock,
        settings: LibvirtMeterSettings, seconds: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.name, self.settle_s = name, max(KEPT_S, 2.0 * settings.window)
        self._connections, self._servers, self._clock, self._settings = connections, servers, clock, settings
        self._seconds = seconds
        self._open: Mapping[HostName, Connection] = {}
        self._last: dict[HostName, Look] = {}
        self._asking = Asking(float(settings.timeout), settings.at_once)
        self._one = threading.Lock()

    def read(self, servers: Collection[ServerId]) -> Told:
        """Takes up to `window` seconds. Raises Transient, or what keeps it from asking, when no host answers."""
        if not servers:
            return Told({})
        known = self._servers()
        homes = {id: known[id].host for id in servers if id in known}
        with self._one:
            names = sorted(set(homes.values()))
            self._open = self._connections(names)
            answers = self._looked(self._open)
        silent = {host: answer for host, answer in answers.items() if isinstance(answer, WatariError)}
        if silent and len(silent) == len(answers):
            raise _worst(silent)
        seen = self._merged(answer for answer in answers.values() if not isinstance(answer, WatariError))
        unknown = [host for host in names if host not in answers]
        readings, missing = _sorted(
            servers, homes, seen, dict.fromkeys(silent, SILENT) | dict.fromkeys(unknown, NO_ADDRESS)
        )
        LOG.info("libvirt: %d of %d servers on %d hosts measured", len(readings), len(servers), len(answers))
        return Told(readings, missing, self._findings(silent, unknown, len(names)))

    def _looked(self, hosts: Iterable[HostName]) -> dict[HostName, dict[ServerId, Reading | str] | WatariError]:
        """What each host's guests did since the look before, which is made first where there is none."""
        hosts, window_s = tuple(hosts), float(self._settings.window)
        oldest_s = self._seconds() + window_s - self.settle_s  # no reading is of a longer time than it settles
        earlier = {h: look for h in hosts if (look := self._last.get(h)) and look.s >= oldest_s}
        failed: dict[HostName, WatariError] = {}
        for host, first in self._asking.all([host for host in hosts if host not in earlier], self._look).items():
            if isinstance(first, WatariError):
                failed[host] = first
            else:
                earlier[host] = first
        if earlier:
            youngest_s = max(look.s for look in earlier.values())
            if (wait_s := youngest_s + window_s - self._seconds()) > 0:
                self._clock.sleep(wait_s)
        found: dict[HostName, dict[ServerId, Reading | str] | WatariError] = dict(failed)
        for host, answer in self._asking.all(earlier, self._look).items():
            if isinstance(answer, WatariError):
                found[host] = answer
                self._last.pop(host, None)
            else:
                found[host] = between(earlier[host], answer)
                self._last[host] = answer
        return found

    def _look(self, host: HostName) -> Look:
        """Raises Transient or Permanent."""
        with self._open[host].use("read the counters of its domains") as c:
            begun_s = self._seconds()
            rows = c.getAllDomainStats(STATS, FLAGS)
            s, at = (begun_s + self._seconds()) / 2, self._clock.now()
        running, idle = {}, []
        for domain, stats in rows:
            id, row = ServerId(domain.UUIDString()), counted(domain.ID(), stats)
            if row is None:
                idle.append(id)
            else:
                running[id] = row
        return Look(s, at, running, frozenset(idle))

    @staticmethod
    def _merged(answers: Iterable[dict[ServerId, Reading | str]]) -> dict[ServerId, Reading | str]:
        """Each server once. During a move it is on two hosts, and runs on one: a reading counts more than a reason."""
        found: dict[ServerId, Reading | str] = {}
        for answer in answers:
            for id, value in answer.items():
                if id not in found or isinstance(value, Reading):
                    found[id] = value
        return found

    def _findings(
        self, silent: Mapping[HostName, WatariError], unknown: Sequence[HostName], asked: int
    ) -> tuple[Finding, ...]:
        found = []
        if silent:
            texts = [f"{host} ({error})" for host, error in sorted(silent.items())[:_SHOWN]]
            more = ", …" if len(silent) > _SHOWN else ""
            text = f"{len(silent):,} of {asked:,} hosts do not answer: {', '.join(texts)}{more}"
            help = "The loads of their servers are not known from here."
            found.append(Finding(self.name, "meter-silent-hosts", text, help=help))
        if unknown:
            names = ", ".join(unknown[:_SHOWN])
            help = "Write `uri` with {host} in it, or name them under `hosts`."
            text = f"{len(unknown):,} of {asked:,} hosts have no address: {names}"
            found.append(Finding(self.name, "meter-no-address", text, help=help))
        return tuple(found)


def _sorted(
    servers: Collection[ServerId],
    homes: Mapping[ServerId, HostName],
    seen: Mapping[ServerId, Reading | str],
    unheard: Mapping[HostName, str],
) -> tuple[dict[ServerId, Reading], dict[ServerId, str]]:
    """What is known of the servers, and why not of the others; `unheard`: why a host said nothing."""
    readings: dict[ServerId, Reading] = {}
    missing: dict[ServerId, str] = {}
    for id in servers:
        value = seen.get(id)
        if isinstance(value, Reading):
            readings[id] = value
        else:
            missing[id] = unheard.get(homes[id], "") if id in homes else ""
            missing[id] = missing[id] or value or ELSEWHERE
    return readings, missing


def _worst(silent: Mapping[HostName, WatariError]) -> WatariError:
    """What is raised when nobody answers."""
    host, error = min(silent.items())
    if isinstance(error, BadInput) or len(silent) == 1:
        return error
    return Transient(f"none of {len(silent)} hosts answers, such as {host}: {error}")


def open_gauge(name: str, section: Mapping[str, Any], around: Surroundings) -> LibvirtGauge:
    """Raises BadInput for what is wrong in the section, and without a way to reach the hosts."""
    settings = read_section(LibvirtMeterSettings, section, around.where, 'uri: "qemu+tls://{host}/system"')
    if around.hosts is not None:
        own: Mapping[HostName, Connection] = around.hosts
        return LibvirtGauge(
            name, lambda names: {n: own[n] for n in names if n in own}, around.servers, around.clock, settings
        )
    if settings.uri is None and not settings.hosts:
        such = '"qemu+tls://{host}/system"'
        raise BadInput(f"{around.where}: write `uri`, such as {such}, or the hosts' own addresses under `hosts`")
    return LibvirtGauge(name, _Opened(settings).connections, around.servers, around.clock, settings)


class _Opened:
    """Connections to hosts of which an inventory tells the names."""

    def __init__(self, settings: LibvirtMeterSettings) -> None:
        self._settings = settings
        self._made: dict[HostName, Connection] = {}

    def connections(self, names: Collection[HostName]) -> dict[HostName, Connection]:
        found = {}
        for name in names:
            uri = self._settings.hosts.get(name) or (self._settings.uri or "").replace("{host}", name)
            if uri:
                found[name] = self._made.setdefault(name, Connection(name, HostSettings(uri), read_only=True))
        return found
