"""Put together what Prometheus said of each server: one load with its time and its sources, or why there is none."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from watari.drivers.prometheus.queries import SIDES, Quantity, Side
from watari.drivers.prometheus.report import Report, Why
from watari.model.compute import Load, ServerId
from watari.model.readings import Reading, estimated_load

# `rate` reaches for the window's edges and may find a little more than there was; much more is another unit.
MOST_STEAL: Final = 1.5

Values = Mapping[Side, Mapping[str, float]]
Found = TypeVar("Found", Load, Reading)
Look = Callable[[ServerId, tuple[Side, ...], dict[float, datetime], Report], Found | Why]


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one cycle was told, by quantity, side and server.

    `used` and `waited` are cores, `load` a load average, `ages_s` seconds since the newest sample. A side that has no
    age of a server has no metrics of a whole window of it: its values are of a part of the window and do not count.
    """

    used: Values
    waited: Values
    vcpus: Values
    load: Values
    ages_s: Values
    started: datetime  # when the first query went out: what came back is no younger

    def loads(self, servers: Iterable[ServerId], report: Report) -> dict[ServerId, Load]:
        """Loads of those of `servers` that are known in full; the others go into `report.missing`."""
        return self._each(servers, report, self._load)

    def readings(self, servers: Iterable[ServerId], report: Report) -> dict[ServerId, Reading]:
        """What is known of those of `servers`, in full or in part; `report.missing` has why not in full."""
        return self._each(servers, report, self._reading)

    def _each(self, servers: Iterable[ServerId], report: Report, look: "Look[Found]") -> "dict[ServerId, Found]":
        found: dict[ServerId, Found] = {}
        times: dict[float, datetime] = {}  # servers of one host share a scrape, and so its time
        host, guest = (self.ages_s[side] for side in SIDES)
        for server in servers:
            sides = _KNOWN[server in host, server in guest]
            value = look(server, sides, times, report) if sides else "unseen"
            if isinstance(value, str):
                report.missing[server] = value
            else:
                found[server] = value
        return found

    def _reading(
        self, server: ServerId, sides: tuple[Side, ...], times: dict[float, datetime], report: Report
    ) -> Reading | Why:
        told = (self.used, self.waited, self.vcpus, self.load)
        used, waited, vcpus, average = (_first(values, server, sides) for values in told)
        if vcpus is None or vcpus[0] <= 0:
            return "no_cpu"
        steal = None if waited is None else waited[0] / self._vcpus_of(server, waited[1], vcpus[0])
        if steal is not None and steal > MOST_STEAL:
            report.odd += 1
            steal = waited = None
        demand = used[0] + waited[0] if used is not None and waited is not None else None
        if average is not None:
            load: float | None = average[0] / self._vcpus_of(server, average[1], vcpus[0])
        else:
            load = None if demand is None else demand / vcpus[0]
        if steal is None or demand is None:
            why: Why = "no_steal" if waited is None else "no_cpu"
            if steal is None and load is None:
                return why
            report.missing[server] = why
        parts = {value[1] for value in (used, waited, vcpus, average) if value is not None}
        age = max(self.ages_s[side][server] for side in sides if side in parts)
        at = times.setdefault(age, self.started - timedelta(seconds=age))
        return Reading(
            at, None if steal is None else min(steal, 1.0), load, demand, waited[1] if waited else "host",
            used[1] if used else "host", average is None,
        )  # fmt: skip

    def _load(
        self, server: ServerId, sides: tuple[Side, ...], times: dict[float, datetime], report: Report
    ) -> Load | Why:
        used = _first(self.used, server, sides)
        vcpus = _first(self.vcpus, server, sides)
        if used is None or vcpus is None or vcpus[0] <= 0:
            return "no_cpu"
        waited = _first(self.waited, server, sides)
        if waited is None:
            return "no_steal"
        steal = waited[0] / self._vcpus_of(server, waited[1], vcpus[0])
        if steal > MOST_STEAL:
            report.odd += 1
            return "no_steal"
        demand = used[0] + waited[0]
        average = _first(self.load, server, sides)
        if average is None:
            load, load_side = estimated_load(demand, vcpus[0]), ""
            report.estimated_load += 1
        else:
            load, load_side = average[0] / self._vcpus_of(server, average[1], vcpus[0]), average[1]
        report.guest_steal += waited[1] == "guest"
        parts = {waited[1], used[1], vcpus[1], load_side}
        age = max(self.ages_s[side][server] for side in sides if side in parts)
        at = times.get(age)
        if at is None:
            at = times[age] = self.started - timedelta(seconds=age)
        return Load(min(steal, 1.0), load, demand, at, _SOURCES[waited[1], used[1], load_side])

    def _vcpus_of(self, server: ServerId, side: Side, otherwise: float) -> float:
        """Shares are of the vCPUs that the same side counts; the two differ for a moment when a server is resized."""
        return self.vcpus[side].get(server) or otherwise


def _first(values: Values, server: ServerId, sides: tuple[Side, ...]) -> tuple[float, Side] | None:
    """The host's value, else the guest's: the hypervisor knows what it did and did not give."""
    for side in sides:
        value = values[side].get(server)
        if value is not None:
            return value, side
    return None


def _source(steal: Side, demand: Side, load: Side | str) -> str:
    measured = f"{steal} steal" if steal == demand else f"{steal} steal, {demand} demand"
    return f"prometheus: {measured}, {f'{load} load' if load else 'load estimated from demand'}"


_SOURCES: Final = {(s, d, a): _source(s, d, a) for s in SIDES for d in SIDES for a in (*SIDES, "")}
_KNOWN: Final[Mapping[tuple[bool, bool], tuple[Side, ...]]] = {
    (True, True): ("host", "guest"),
    (True, False): ("host",),
    (False, True): ("guest",),
    (False, False): (),
}
NOTHING: Final[Values] = {"host": {}, "guest": {}}
VALUES: Final[tuple[Quantity, ...]] = ("used", "waited", "vcpus", "load")
