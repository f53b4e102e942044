"""libvirt hosts that count their guests' vCPUs, without libvirt: what a connection is asked for, and faults."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from times import SetClock
from watari.drivers.libvirt.meter import LibvirtGauge, LibvirtMeterSettings
from watari.errors import Transient
from watari.model.compute import HostName, Server, ServerId

RUNNING, PAUSED, SHUTOFF = 1, 3, 5


@dataclass
class Guest:
    """`steal`, `busy`: shares of each vCPU's time. `begun_s`: when its counters stood at 0. `tells`: of vCPU delay."""

    id: str
    vcpus: int = 2
    steal: float = 0.0
    busy: float = 0.0
    state: int = RUNNING
    run: int = 1
    begun_s: float = -10_000.0
    tells: bool = True

    def UUIDString(self) -> str:
        return self.id

    def ID(self) -> int:
        return self.run

    def stats(self, now_s: float) -> dict[str, Any]:
        ns = (now_s - self.begun_s) * 1e9
        found: dict[str, Any] = {"state.state": self.state, "vcpu.current": self.vcpus, "vcpu.maximum": self.vcpus}
        for n in range(self.vcpus):
            found |= {f"vcpu.{n}.state": 1, f"vcpu.{n}.time": int(ns * self.busy), f"vcpu.{n}.wait": 0}
            found |= {f"vcpu.{n}.delay": int(ns * self.steal)} if self.tells else {}
        return found


@dataclass
class CountingHost:
    """Stands for a `Connection`. `down`: it does not answer; `hangs`: nor does it say so, until the event is set."""

    name: str
    clock: SetClock
    guests: list[Guest] = field(default_factory=list)
    down: bool = False
    hangs: threading.Event | None = None
    calls: int = 0

    @contextmanager
    def use(self, what: str) -> Iterator["CountingHost"]:
        if self.hangs is not None:
            self.hangs.wait()
        if self.down:
            raise Transient(f"cannot {what} on {self.name} now: no route to host")
        yield self

    def getAllDomainStats(self, stats: int, flags: int) -> list[tuple[Guest, dict[str, Any]]]:
        self.calls += 1
        return [(guest, guest.stats(self.clock.seconds())) for guest in self.guests if guest.state != SHUTOFF]


def gauge_of(
    hosts: Mapping[str, CountingHost], servers: Callable[[], Mapping[ServerId, Server]], clock: SetClock,
    settings: LibvirtMeterSettings | None = None,
) -> LibvirtGauge:  # fmt: skip
    known = cast("dict[HostName, Any]", hosts)
    return LibvirtGauge(
        "libvirt", lambda names: {n: known[n] for n in names if n in known}, servers, clock,
        settings or LibvirtMeterSettings(), clock.seconds,
    )  # fmt: skip
