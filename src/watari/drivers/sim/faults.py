"""What goes wrong in a simulated cloud, and when: a script, so that every failure can be repeated."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from watari.errors import BadInput, Refused, Transient
from watari.model.compute import HostName, ServerId

# Times are seconds since the simulation's start; a span is [start_s, end_s).


@dataclass(frozen=True, slots=True)
class ApiDown:
    """Every call to Compute in the span raises Transient."""

    start_s: float
    end_s: float
    text: str = "503 from nova-api"


@dataclass(frozen=True, slots=True)
class MigrationFails:
    """The next `times` moves (of `server`; None: any) break when `at` (0-1) of disk and memory is copied."""

    at: float
    server: ServerId | None = None
    text: str = "the connection to the target broke"
    times: int = 1


@dataclass(frozen=True, slots=True)
class MigrationRefused:
    """The next `times` requests (for `server`, to `target`; None: any) are refused."""

    text: str
    server: ServerId | None = None
    target: HostName | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class SlowLink:
    """The host's link for migrations carries `factor` (0-1) of what it should."""

    host: HostName
    factor: float
    start_s: float = 0.0
    end_s: float = math.inf


@dataclass(frozen=True, slots=True)
class StaleMetrics:
    """The loads of the host's servers stay what they were at the start of the span, with their old time."""

    host: HostName
    start_s: float = 0.0
    end_s: float = math.inf


@dataclass(frozen=True, slots=True)
class NoMetrics:
    """The host's servers send no data."""

    host: HostName
    start_s: float = 0.0
    end_s: float = math.inf


@dataclass(frozen=True, slots=True)
class HostDeath:
    """The host goes down with its servers."""

    host: HostName
    at_s: float
    text: str = "no power"


Span = ApiDown | SlowLink | StaleMetrics | NoMetrics
Fault = Span | MigrationFails | MigrationRefused | HostDeath


class Faults:
    """A script of faults; more may be added while the cloud runs. Raises BadInput for one that makes no sense."""

    def __init__(self, script: Iterable[Fault] = ()) -> None:
        self._script: list[Fault] = []
        self._used: dict[int, int] = {}  # how often a fault of a number of times was used
        self._calls: list[str] = []
        self.added = 0
        for fault in script:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        if why := _nonsense(fault):
            raise BadInput(f"{fault}: {why}")
        self._script.append(fault)
        self.added += 1

    def fail_next_calls(self, count: int, text: str = "503 from nova-api") -> None:
        """The next `count` calls to Compute raise Transient."""
        self._calls += [text] * count

    def call(self, t_s: float) -> None:
        """A call to Compute: raises Transient if it is to fail."""
        if self._calls:
            raise Transient(self._calls.pop(0))
        for fault in self._script:
            if isinstance(fault, ApiDown) and fault.start_s <= t_s < fault.end_s:
                raise Transient(fault.text)

    def refuse(self, server: ServerId, target: HostName | None) -> None:
        """A request to move a server (`target` None: anywhere): raises Refused if the script says so."""
        for number, fault in enumerate(self._script):
            if isinstance(fault, MigrationRefused) and self._left(number, fault.times):
                if fault.server not in (None, server) or fault.target not in (None, target):
                    continue
                self._use(number)
                raise Refused(fault.text)

    def break_of(self, server: ServerId) -> MigrationFails | None:
        """How the move of this server that starts now will fail, if it will."""
        for number, fault in enumerate(self._script):
            if isinstance(fault, MigrationFails) and self._left(number, fault.times) and fault.server in (None, server):
                self._use(number)
                return fault
        return None

    def next_change_s(self, after_s: float) -> float:
        """The first moment after `after_s` at which a span begins or ends, or a host dies; infinite without one."""
        times = (t for fault in self._script for t in _edges(fault) if t > after_s)
        return min(times, default=math.inf)

    def dead(self, t_s: float) -> list[HostDeath]:
        return [fault for fault in self._script if isinstance(fault, HostDeath) and fault.at_s <= t_s]

    def slow(self, t_s: float) -> dict[HostName, float]:
        """Factor of the links that are slow now."""
        factors: dict[HostName, float] = {}
        for fault in self._script:
            if isinstance(fault, SlowLink) and fault.start_s <= t_s < fault.end_s:
                factors[fault.host] = factors.get(fault.host, 1.0) * fault.factor
        return factors

    def stale(self, t_s: float) -> set[HostName]:
        return self._on(StaleMetrics, t_s)

    def silent(self, t_s: float) -> set[HostName]:
        return self._on(NoMetrics, t_s)

    def hosts(self) -> set[HostName]:
        """Every host that the script names."""
        named = (getattr(fault, "host", None) or getattr(fault, "target", None) for fault in self._script)
        return {host for host in named if host is not None}

    def to_state(self) -> dict[str, Any]:
        """What of the script is used up, for JSON; the script itself is given again."""
        return {"used": [[number, times] for number, times in self._used.items()], "calls": list(self._calls)}

    def restore(self, state: dict[str, Any]) -> None:
        self._used = {int(number): int(times) for number, times in state["used"]}
        self._calls = [str(text) for text in state["calls"]]

    def _on(self, kind: type[StaleMetrics] | type[NoMetrics], t_s: float) -> set[HostName]:
        return {f.host for f in self._script if isinstance(f, kind) and f.start_s <= t_s < f.end_s}

    def _left(self, number: int, times: int) -> bool:
        return self._used.get(number, 0) < times

    def _use(self, number: int) -> None:
        self._used[number] = self._used.get(number, 0) + 1


def _edges(fault: Fault) -> tuple[float, ...]:
    match fault:
        case SlowLink() | StaleMetrics() | NoMetrics():
            return fault.start_s, fault.end_s
        case HostDeath():
            return (fault.at_s,)
        case _:
            return ()  # asked for at each call; nothing happens by itself


def _nonsense(fault: Fault) -> str:
    match fault:
        case ApiDown() | StaleMetrics() | NoMetrics() | SlowLink() if not fault.start_s < fault.end_s:
            return "the end must be after the start"
        case SlowLink() if not 0 <= fault.factor <= 1:
            return "the factor must be 0 to 1"
        case MigrationFails() if not 0 <= fault.at <= 1:
            return "the share must be 0 to 1"
        case _:
            return ""
