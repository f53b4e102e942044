"""The live picture of a real cloud: made anew at every look of its controller, and its moves every second between."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from watari.act.durable.records import RunRow, list_runs, load_run, refresh
from watari.act.durable.store import Store
from watari.act.guard import holding
from watari.act.journal import OperationRecord, Run
from watari.app.serving.reconciler import Reconciler
from watari.jobs.placement.memory import Memory
from watari.jobs.placement.world import NOT_RUNNING
from watari.model.compute import ComputeSnapshot
from watari.plan.plan import Plan
from watari.policy.values import Policy
from watari.web import contract as page
from watari.web.contract import NO_DATA
from watari.web.day import Day
from watari.web.hub import Hub
from watari.web.shown import flight, host, moving, peaks, policy_shown, standing, starving, strip

TODAY: Final = 200  # runs that are looked through for what moved today
STALLED_S: Final = 120.0  # no progress for this long is said to be stalled


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has left for those who ask later; never changed."""

    snapshot: ComputeSnapshot
    memory: Memory
    policy: Policy
    made: Plan | None
    acts: bool
    trouble: str = ""  # why nothing is decided


@dataclass(slots=True)
class LiveFeed:
    """Publishes one cloud to `hub`. `look` is called by the thread that looks at the cloud, `tick` by any one other."""

    store: Store
    cloud: str
    hub: Hub
    last: Look | None = None
    _day: Day = field(default_factory=Day)
    _servers: dict[str, int] = field(default_factory=dict)
    _hosts: dict[str, int] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _at_look: "_Records" = field(init=False)  # each thread has its own: none waits for what another one reads
    _between: "_Records" = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._at_look, self._between = _Records(self.store, self.cloud), _Records(self.store, self.cloud)

    @property
    def snapshot(self) -> ComputeSnapshot | None:
        """What the last look that could has read."""
        return None if self.last is None else self.last.snapshot

    def look(self, seen: Reconciler) -> None:
        """Show what a look has found; nothing new while the cloud does not answer: the page says how old it is."""
        if seen.snapshot is None or seen.memory is None:
            return
        policy = seen.policy.policy
        acts = policy.serve.balance in ("approve", "automatic")
        records = self._at_look.read(policy)
        with self._lock:
            if seen.trouble and self.last is not None and self.last.snapshot.taken_at == seen.snapshot.taken_at:
                self._stand_still(replace(self.last, made=None, trouble=seen.trouble), records)
                return
            self.last = last = Look(seen.snapshot, seen.memory, policy, seen.made, acts, seen.trouble)
            self._servers = {id: i for i, id in enumerate(last.memory.ids)}
            self._hosts = {name: i for i, name in enumerate(last.snapshot.hosts)}
            self._day.add(last.snapshot.taken_at, last.memory.readings, last.snapshot, last.policy)
            self.hub.publish_state(self._state(last, records))

    def _stand_still(self, last: Look, records: list[OperationRecord]) -> None:
        """Nothing new is known: the picture gets older, and nobody is said to be helped."""
        self.last = last
        now = datetime.now(UTC)
        self.hub.publish_tick(
            {
                "now": now.astimezone(last.policy.timezone).isoformat(),
                "load": _loads(last, now),
                "starved": self._starved(last, records),
            }
        )

    def tick(self) -> None:
        """Show how the moves under way go on. Raises what the database says."""
        if (last := self.last) is None or not self.hub.pages:
            return
        records = self._between.read(last.policy)
        with self._lock:
            if self.last is not last:  # a look has shown more
                return
            now = datetime.now(UTC)
            placed = [
                (self._servers[o.operation.subject], self._hosts[o.operation.target])
                for o in records
                if o.state == "done" and o.operation.move is not None and o.operation.subject in self._servers
                and o.operation.target in self._hosts and _ended_after(o, last.snapshot.taken_at)
            ]  # fmt: skip
            self.hub.publish_tick(
                {
                    "flights": self._flights(records, now),
                    "placed": placed,
                    "strip": strip(last.policy, self._day, self._starved_now(last), records, now),
                    "starved": self._starved(last, records),
                }
            )

    def _state(self, last: Look, records: list[OperationRecord]) -> page.PageState:
        snapshot, memory, policy = last.snapshot, last.memory, last.policy
        now = datetime.now(UTC).astimezone(policy.timezone)
        return {
            "cloud": self.cloud,
            "now": now.isoformat(),
            "time_zone": now.tzname() or "UTC",
            "pace": 1.0,
            "policy": policy_shown(policy),
            "strip": strip(policy, self._day, self._starved_now(last), records, now),
            "hosts": [host(one) for one in snapshot.hosts.values()],
            "host_cpu": self._host_cpu(last),
            "servers": self._columns(snapshot, memory, policy),
            "load": _loads(last, now),
            "flights": self._flights(records, now),
            "starved": self._starved(last, records),
            "chart": self._day.chart(),
            "peaks": peaks(policy),
            "ended": None,
        }

    def _columns(self, snapshot: ComputeSnapshot, memory: Memory, policy: Policy) -> page.Servers:
        servers = [snapshot.servers[id] for id in memory.ids]
        return {
            "id": [s.id for s in servers],
            "name": [s.name for s in servers],
            "host": [self._hosts.get(s.host, NO_DATA) for s in servers],
            "vcpu": [s.vcpus for s in servers],
            "memory_mib": [s.memory_mib for s in servers],
            "role": [s.metadata.get(policy.roles.metadata_key, "") for s in servers],
        }

    def _host_cpu(self, last: Look) -> list[int]:
        """Demand per host, permille of its threads; unknown where a server of it sends no data."""
        readings = last.memory.readings
        where = np.array([self._hosts.get(last.snapshot.servers[id].host, -1) for id in last.memory.ids], np.int64)
        demand, unknown = np.zeros(len(self._hosts)), np.zeros(len(self._hosts), np.bool_)
        on = where >= 0
        np.add.at(demand, where[on & readings.known], readings.demand[on & readings.known])
        unknown[where[on & ~readings.known]] = True
        threads = np.array([max(one.cpus, 1e-9) for one in last.snapshot.hosts.values()])
        permille = np.rint(1000 * demand / threads).astype(int)
        return [NO_DATA if gone else int(value) for value, gone in zip(permille, unknown, strict=True)]

    def _flights(self, records: Iterable[OperationRecord], now: datetime) -> list[page.Flight]:
        out: list[page.Flight] = []
        for record in records:
            op, step = record.operation, record.moving
            ours = step is not None and holding(record) is not None
            if not ours or step is None or op.subject not in self._servers:
                continue
            if op.source not in self._hosts or op.target not in self._hosts:
                continue
            number = self._numbers.setdefault(op.id + op.subject, len(self._numbers) + 1)
            stalled = step.moved_at is not None and now - step.moved_at >= timedelta(seconds=STALLED_S)
            where = self._servers[op.subject], self._hosts[op.source], self._hosts[op.target]
            out.append(flight(record, step, number, where, stalled))
        return out

    def _starved_now(self, last: Look) -> int:
        readings = last.memory.readings
        return int((readings.known & last.policy.detect.starved(readings.steal, readings.load)).sum())

    def _starved(self, last: Look, records: list[OperationRecord]) -> list[page.Starved]:
        """Who is starved, worst first, and what is done about it."""
        readings = last.memory.readings
        rows = np.flatnonzero(readings.known & last.policy.detect.starved(readings.steal, readings.load))
        flying, planned = moving(records), {o.subject: o for o in last.made.operations} if last.made else {}
        refused = {r.subject: r for r in last.made.refusals} if last.made else {}
        out = []
        for s in rows[np.argsort(-readings.steal[rows], kind="stable")].tolist():
            id = last.memory.ids[s]
            if (op := flying.get(id) or planned.get(id)) is not None:
                intent: page.Intent = "moving" if id in flying else "planned"
                out.append(starving(s, intent, self._hosts.get(op.target), op.waits_why))
            else:
                if last.trouble:
                    out.append(starving(s, "refused", None, last.trouble))
                else:
                    out.append(standing(s, refused.get(id), acts=last.acts or last.made is not None))
        return out


def _loads(last: Look, now: datetime) -> page.Loads:
    """Columns, and how old the newest reading of a server that runs is by now."""
    memory = last.memory
    known = memory.readings.known
    runs = np.array([last.snapshot.servers[id].status not in NOT_RUNNING for id in memory.ids], np.bool_)
    since_s = max(0.0, (now - last.snapshot.taken_at).total_seconds())
    steal = np.where(known, np.rint(1000 * np.nan_to_num(memory.readings.steal)), NO_DATA).astype(int)
    load = np.where(known, np.rint(100 * np.nan_to_num(memory.readings.load)), NO_DATA).astype(int)
    ages = memory.readings.age_s[known & runs]
    return {
        "steal": steal.tolist(),
        "per_vcpu": load.tolist(),
        "age_s": round(since_s + (float(ages.min()) if ages.size else 0.0), 1),
    }


def _ended_after(record: OperationRecord, at: datetime) -> bool:
    return any(r.ended_at is not None and r.ended_at > at for r in record.steps)


@dataclass(slots=True)
class _Records:
    """Operations of a cloud's runs; what is over is read once."""

    store: Store
    cloud: str
    _runs: dict[str, tuple[Run, float]] = field(default_factory=dict)

    def read(self, policy: Policy) -> list[OperationRecord]:
        """Operations of the runs that go on, and of those that ended today where the operator lives."""
        rows = {row.id: row for row in list_runs(self.store, cloud=self.cloud, only_open=True)}
        rows |= {row.id: row for row in self._today(policy)}
        self._runs = {id: self._loaded(row) for id, row in rows.items()}
        return [o for run, _ in self._runs.values() for o in run.operations]

    def _today(self, policy: Policy) -> list[RunRow]:
        now = datetime.now(UTC).astimezone(policy.timezone)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        rows = list_runs(self.store, cloud=self.cloud, limit=TODAY)
        return [row for row in rows if row.ended_at is not None and row.ended_at >= midnight]

    def _loaded(self, row: RunRow) -> tuple[Run, float]:
        run, seen = self._runs.get(row.id) or (load_run(self.store, row.id), 0.0)
        return run, refresh(self.store, run, seen) if not run.finished else seen
