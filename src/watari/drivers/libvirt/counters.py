"""What a host's libvirt counts of its guests' vCPUs, and what two looks at it say of the time between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from watari.model.compute import ServerId
from watari.model.readings import Reading, estimated_load

NS: Final = 1e9
RUNNING: Final = 1  # VIR_DOMAIN_RUNNING; a guest that is only being received is paused
MOST_STEAL: Final = 1.5  # the edges of a look are not sharp; much more is another unit
OFF: Final = "it does not run"
YOUNG: Final = "it has just started, or come to its host"
NO_DELAY: Final = "its host's libvirt tells no vCPU delay (7.2 and newer do)"
ODD: Final = "its vCPU delay is more than there was time"


@dataclass(frozen=True, slots=True)
class Counted:
    """One running guest: nanoseconds by vCPU. `run`: libvirt's number of its run there; another one counts anew.

    `delay_ns`: the vCPU's thread was runnable and was not run. Empty where the host's libvirt does not tell (from 7.2).
    """

    run: int
    time_ns: Mapping[int, int]
    delay_ns: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """The guests that run on one host. `s`: when, by a clock that nobody sets; `at`: the same by the cloud's clock."""

    s: float
    at: datetime
    running: Mapping[ServerId, Counted]
    idle: frozenset[ServerId] = field(default_factory=frozenset)  # there, and not running


def counted(run: int, stats: Mapping[str, Any]) -> Counted | None:
    """A row of getAllDomainStats (state, vcpu); None for a guest that does not run, whatever is counted of it."""
    if stats.get("state.state") != RUNNING:
        return None
    numbers = range(stats.get("vcpu.maximum", 0))
    time_ns = {n: value for n in numbers if (value := stats.get(f"vcpu.{n}.time")) is not None}
    delay_ns = {n: value for n in numbers if (value := stats.get(f"vcpu.{n}.delay")) is not None}
    return Counted(run, time_ns, delay_ns)


def between(earlier: Look | None, later: Look) -> dict[ServerId, Reading | str]:
    """Of each guest that is on the host now: a reading, or why there is none.

    Only guests that ran there at both looks, by the same run, have one. steal is the mean share of the time in which a
    vCPU was runnable and not run; demand is cores that its vCPUs ran or waited for, without QEMU's other threads; load
    is estimated from it.
    """
    found: dict[ServerId, Reading | str] = dict.fromkeys(later.idle, OFF)
    for id, now in later.running.items():
        was = None if earlier is None else earlier.running.get(id)
        if earlier is None or was is None or was.run != now.run or later.s <= earlier.s:
            found[id] = YOUNG
        else:
            found[id] = _reading(was, now, later.s - earlier.s, later.at)
    return found


def _reading(was: Counted, now: Counted, seconds: float, at: datetime) -> Reading | str:
    vcpus = len(now.delay_ns.keys() & was.delay_ns.keys())
    if not vcpus:
        return NO_DELAY
    used = _grown(was.time_ns, now.time_ns) / NS / seconds
    waited = _grown(was.delay_ns, now.delay_ns) / NS / seconds
    if waited / vcpus > MOST_STEAL:
        return ODD
    demand = used + waited
    return Reading(at, min(waited / vcpus, 1.0), estimated_load(demand, vcpus), demand, estimated=True)


def _grown(was: Mapping[int, int], now: Mapping[int, int]) -> int:
    """By how much the counters grew. A smaller one than before began anew from 0, as Prometheus' rate() has it."""
    return sum(value - was[n] if value >= was[n] else value for n, value in now.items() if n in was)
